"""Numbers that no run can use: one sentence and exit code 2, before anything is started."""

import pytest

import imgpool as package
from imgpool.core.errors import UsageError
from tests.support.runs import POISON
from tests.support.scales import scaled

ABSURD = {
    "--timeout": ["inf", "-inf", "nan", "1e16", "1e400", "-1", "9" * 5000],
    "--workers": ["0", "-1", "1e3", "99999999999999999999", "9" * 5000],
    "--chunksize": ["0", "1.5", str(2**63), str(2**64), "9" * 5000],
    "--retries": ["-1", "99999999999999999999", "9" * 5000],
    "--max-pixels": ["0", "-1", str(2**63), str(2**64), "9" * 5000],
    "--max-memory": ["8", "0", "1kB", "99999999999GiB", "1e300GiB", "1e400", "nan", "-1GiB", "9" * 5000],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    return tmp_path / "in"


@scaled(
    ("option", "value"),
    short=[(option, values[0]) for option, values in ABSURD.items()],
    long=[(option, value) for option, values in ABSURD.items() for value in values[1:]],
)
def test_absurd_number_on_the_command_line_is_refused(imgpool, folder, option, value):
    done = imgpool("process", folder, "-o", folder.parent / "out", f"{option}={value}")
    assert (done.code, done.stdout) == (2, "")
    message, *hint = done.stderr.splitlines()
    assert message.startswith(f"imgpool: {option} ")
    assert len(hint) <= 1
    assert len(message) < 200
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", float("inf")),
        ("timeout", float("nan")),
        ("timeout", 1e16),
        ("timeout", "60"),
        ("workers", 10**20),
        ("workers", 2.5),
        ("workers", True),
        ("chunksize", 2**64),
        ("retries", -1),
        ("max_pixels", 2**70),
        ("max_memory", 8),
        ("max_memory", 2**70),
        ("max_memory", 8.5),
    ],
)
def test_absurd_number_in_python_is_refused(folder, name, value):
    with pytest.raises(UsageError, match=f"`{name}`"):
        package.process(folder, output=folder.parent / "out", **{name: value})


@pytest.mark.parametrize(
    ("option", "value"), [("--rounds", "1000000000"), ("--sample", "9" * 30), ("--timeout", "inf"), ("--timeout", "x")]
)
def test_absurd_number_for_a_comparison_is_refused(imgpool, folder, option, value):
    done = imgpool("compare", folder, f"{option}={value}")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"imgpool: {option} must be ")


def test_comparison_leaves_out_an_image_beyond_its_time_limit(imgpool, folder):
    (folder / "a.png").unlink()
    (folder / "short.poison").write_text("nap 0")
    (folder / "endless.poison").write_text("hang")
    environment = {"PYTHONPATH": str(POISON)}
    words = ["-f", "invert", "-j", "1", "--all", "--timeout", "0.5", "--json"]
    done = imgpool("compare", folder, *words, env=environment)
    assert done.code == 0, done.stderr
    [left_out] = done.json["left_out"]
    assert "endless.poison" in str(left_out)
    assert "0.5 s" in str(left_out)
