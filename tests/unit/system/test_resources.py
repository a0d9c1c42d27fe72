"""Processors and memory of machine and container; control groups are files in a folder."""

import os

import psutil
import pytest

from imgpool.system.resources import available_cpus, available_memory, cpu_quota, free_memory, memory_left

MIB = 1024**2
NO_LIMIT_V1 = "9223372036854771712"


@pytest.fixture
def groups(tmp_path):
    """Write control files below the root of a simulated /sys/fs/cgroup, and set our own group."""

    class Groups:
        root = tmp_path / "cgroup"
        own = tmp_path / "self-cgroup"

        def files(self, texts):
            for name, text in texts.items():
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{text}\n")

        def cpu_quota(self):
            return cpu_quota(self.root, self.own)

        def memory_left(self):
            return memory_left(self.root, self.own)

    made = Groups()
    made.root.mkdir()
    made.own.write_text("0::/\n")
    return made


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert cpu_quota(tmp_path / "absent", tmp_path / "absent") is None
    assert memory_left(tmp_path / "absent", tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000", None),
        ("400000 100000", 4),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("1000 100000", 1),
        ("20000 10000", 2),
    ],
)
def test_version_2_quota_in_whole_processors(groups, text, cpus):
    groups.files({"cpu.max": text})
    assert groups.cpu_quota() == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", None), ("200000", 2), ("150000", 2), ("10000", 1)])
def test_version_1_quota_in_whole_processors(groups, quota, cpus):
    groups.files({"cpu/cpu.cfs_quota_us": quota, "cpu/cpu.cfs_period_us": "100000"})
    assert groups.cpu_quota() == cpus


def test_lowest_quota_of_the_enclosing_groups_counts(groups):
    groups.own.write_text("0::/slice/service/run\n")
    groups.files({"slice/cpu.max": "300000 100000", "slice/service/cpu.max": "800000 100000"})
    assert groups.cpu_quota() == 3
    groups.files({"slice/service/run/cpu.max": "max 100000", "other/cpu.max": "100000 100000"})
    assert groups.cpu_quota() == 3
    groups.files({"slice/service/run/cpu.max": "120000 100000"})
    assert groups.cpu_quota() == 2


def test_version_2_memory_is_the_limit_less_the_use(groups):
    groups.files({"memory.max": "max", "memory.current": str(5 * MIB)})
    assert groups.memory_left() is None
    groups.files({"memory.max": str(100 * MIB)})
    assert groups.memory_left() == 95 * MIB


def test_version_1_memory_is_the_limit_less_the_use(groups):
    groups.files({"memory/memory.limit_in_bytes": str(100 * MIB), "memory/memory.usage_in_bytes": str(30 * MIB)})
    assert groups.memory_left() == 70 * MIB


def test_memory_over_the_limit_leaves_none(groups):
    groups.files({"memory.max": str(MIB), "memory.current": str(2 * MIB)})
    assert groups.memory_left() == 0


def test_least_memory_of_the_enclosing_groups_counts(groups):
    groups.own.write_text("0::/slice/run\n")
    groups.files(
        {
            "slice/memory.max": str(100 * MIB),
            "slice/memory.current": str(80 * MIB),
            "slice/run/memory.max": str(50 * MIB),
            "slice/run/memory.current": str(10 * MIB),
        }
    )
    assert groups.memory_left() == 20 * MIB


def test_version_1_has_nested_groups_too(groups):
    groups.own.write_text("4:memory:/machine/run\n3:cpu,cpuacct:/machine/run\n0::/\n")
    groups.files(
        {
            "memory/memory.limit_in_bytes": NO_LIMIT_V1,
            "memory/memory.usage_in_bytes": str(MIB),
            "memory/machine/run/memory.limit_in_bytes": str(100 * MIB),
            "memory/machine/run/memory.usage_in_bytes": str(40 * MIB),
            "cpu/machine/run/cpu.cfs_quota_us": "200000",
            "cpu/machine/run/cpu.cfs_period_us": "100000",
        }
    )
    assert groups.memory_left() == 60 * MIB
    assert groups.cpu_quota() == 2


@pytest.mark.parametrize(
    ("prefix", "limit", "used", "key"),
    [
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory/", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_file_cache_counts_as_free(groups, prefix, limit, used, key):
    """The kernel counts its file cache as used, and gives it back on demand; reading images fills it."""
    groups.files(
        {
            f"{prefix}{limit}": str(100 * MIB),
            f"{prefix}{used}": str(99 * MIB),
            f"{prefix}memory.stat": f"anon {9 * MIB}\n{key} {90 * MIB}",
        }
    )
    assert groups.memory_left() == 91 * MIB


def test_group_name_may_contain_any_character(groups):
    groups.own.write_text("0::/mein ordner/schön\n", "utf-8")
    groups.files({"mein ordner/schön/cpu.max": "200000 100000", "cpu.max": "800000 100000"})
    assert groups.cpu_quota() == 2


def test_this_machine_has_processors_and_memory():
    assert 1 <= available_cpus() <= os.cpu_count()
    assert 0 < available_memory() < psutil.virtual_memory().total


def test_free_memory_comes_from_the_system_or_psutil(tmp_path):
    table = tmp_path / "meminfo"
    assert free_memory(table) == pytest.approx(psutil.virtual_memory().available, rel=0.5)
    table.write_text("MemTotal: 8000 kB\nMemAvailable:    1000 kB\n")
    assert free_memory(table) == 1024 * 1000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_limits_the_processors():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
