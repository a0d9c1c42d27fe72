"""Putting results at their targets: own files are replaced, all others are left alone."""

import errno
import os
import pickle
import stat
from contextlib import contextmanager
from hashlib import sha256

import pytest

from imgpool.core.errors import TargetExistsError, WriteError
from imgpool.core.task import ExistingTarget, Task
from imgpool.system.rename import Placing
from imgpool.work import placing as placing_module
from imgpool.work.existing_file import Content
from imgpool.work.intents import read_intents
from imgpool.work.placing import Destination, Placer

NEW, OLD, EDITED = b"the new result", b"an old result", b"an edited one"
WITH_EXCHANGE = Placing("rename", exchange=True)
WITHOUT_EXCHANGE = Placing("link", exchange=False)
CREATING = Placing("create", exchange=False)
every_way = pytest.mark.parametrize("placing", [WITH_EXCHANGE, WITHOUT_EXCHANGE, CREATING], ids=lambda way: way.new)


def hash_of(content):
    return sha256(content).hexdigest()


class Output:
    """An output folder with one task, whose result is ready in the scratch folder."""

    def __init__(self, folder):
        self.folder = folder / "out"
        self.state = self.folder / ".imgpool"
        self.temporary = self.state / "tmp" / "token" / "new.png"
        self.temporary.parent.mkdir(parents=True)
        self.temporary.write_bytes(NEW)
        self.source = folder / "in" / "a.png"
        self.source.parent.mkdir()
        self.source.write_bytes(b"the source")
        self.target = self.folder / "trip" / "a.png"
        self.target.parent.mkdir()

    def placer(self, placing=WITH_EXCHANGE, **options):
        return Placer(Destination(str(self.folder), str(self.state), "token", placing, **options))

    def task(self, **existing):
        known = ExistingTarget(**existing) if existing else None
        return Task(str(self.source), str(self.target), 1, 1, known)

    def ours(self, content=OLD, **existing):
        """A task whose target imgpool has written with this content."""
        return self.task(sources={hash_of(content): str(self.source)}, **existing)

    def place(self, task=None, placing=WITH_EXCHANGE, **options):
        new = Content(len(NEW), hash_of(NEW))
        return self.placer(placing, **options).place(str(self.temporary), task or self.task(), new)

    @property
    def replaced(self):
        """The files that results have replaced, with their contents."""
        kept = self.state / "replaced" / "token"
        return {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*") if path.is_file()}

    @property
    def intents(self):
        return [intent for path in sorted((self.state / "intents").glob("*")) for intent in read_intents(path)]

    def assert_placed(self):
        assert self.target.read_bytes() == NEW
        assert not os.path.lexists(self.temporary)

    def assert_kept(self, content):
        assert self.target.read_bytes() == content


@pytest.fixture
def output(tmp_path):
    return Output(tmp_path)


@every_way
def test_result_is_put_at_a_free_target(output, placing):
    assert output.place(placing=placing)
    output.assert_placed()


@every_way
def test_intent_is_written_before_the_target_exists(output, monkeypatch, placing):
    def refuse(*_):
        assert not output.target.exists()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(placing_module, "rename_new", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        output.place(placing=placing)
    (intent,) = output.intents
    assert (intent.target, intent.source) == ("trip/a.png", str(output.source))
    assert (intent.sha256, intent.size, intent.run) == (hash_of(NEW), len(NEW), "token")


def test_nothing_is_placed_without_its_intent(output, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("imgpool.work.intents.os.write", full)
    with pytest.raises(OSError, match="No space left"):
        output.place()
    assert not output.target.exists()


@every_way
def test_missing_folders_are_created(output, placing):
    output.target.parent.rmdir()
    output.target = output.folder / "a" / "b" / "c.png"
    assert output.place(placing=placing)
    output.assert_placed()


def test_folder_that_disappears_is_created_again(output):
    placer, new = output.placer(), Content(len(NEW), hash_of(NEW))
    for _ in range(2):
        output.temporary.write_bytes(NEW)
        assert placer.place(str(output.temporary), output.task(), new)
        output.assert_placed()
        output.target.unlink()
        output.target.parent.rmdir()


def test_folder_that_is_moved_gets_no_further_results(output, tmp_path):
    placer, new = output.placer(), Content(len(NEW), hash_of(NEW))
    assert placer.place(str(output.temporary), output.task(), new)
    output.target.parent.rename(tmp_path / "moved")
    output.temporary.write_bytes(NEW)
    output.target = output.target.with_name("b.png")
    assert placer.place(str(output.temporary), output.task(), new)
    output.assert_placed()
    assert os.listdir(tmp_path / "moved") == ["a.png"]


@every_way
@pytest.mark.parametrize("if_exists", ["fail", "skip", "replace"])
def test_result_that_is_there_already_is_adopted(output, placing, if_exists):
    output.target.write_bytes(NEW)
    inode = output.target.stat().st_ino
    assert output.place(placing=placing, if_exists=if_exists)
    output.assert_placed()
    assert output.target.stat().st_ino == inode
    assert output.replaced == {}


@every_way
@pytest.mark.parametrize("if_exists", ["fail", "skip", "replace"])
def test_own_earlier_result_is_replaced(output, placing, if_exists):
    output.target.write_bytes(OLD)
    assert output.place(output.ours(), placing, if_exists=if_exists)
    output.assert_placed()
    assert output.replaced == {}


@every_way
@pytest.mark.parametrize("content", [b"", bytes(10), bytes(200_000)])
def test_blank_file_of_an_interrupted_run_is_replaced(output, placing, content):
    output.target.write_bytes(content)
    assert output.place(output.task(interrupted=True), placing)
    output.assert_placed()


OTHERS = {
    "unknown": (EDITED, {}, "exists and was not written by imgpool"),
    "nothing known": (EDITED, {"interrupted": False}, "exists and was not written by imgpool"),
    "in an interrupted run": (EDITED, {"interrupted": True}, "exists and was not written by imgpool"),
    "blank without an interrupted run": (bytes(10), {}, "exists and was not written by imgpool"),
    "edited": (EDITED, {"sources": {hash_of(OLD): "in/a.png"}}, "was changed since imgpool wrote it"),
    "of another source": (OLD, {"sources": {hash_of(OLD): "in/b.png"}}, "is the result of in/b.png"),
}
others = pytest.mark.parametrize(("content", "existing", "reason"), OTHERS.values(), ids=OTHERS.keys())


@every_way
@others
def test_file_that_is_not_ours_fails_the_image(output, placing, content, existing, reason):
    output.target.write_bytes(content)
    with pytest.raises(TargetExistsError) as raised:
        output.place(output.task(**existing), placing)
    assert raised.value.message == f"{output.target} {reason}"
    assert "move it away" in raised.value.hint
    assert '`if_exists="replace"`' in raised.value.hint
    output.assert_kept(content)
    assert output.intents == []


@every_way
@others
def test_file_that_is_not_ours_is_skipped_on_request(output, placing, content, existing, reason):
    output.target.write_bytes(content)
    assert not output.place(output.task(**existing), placing, if_exists="skip")
    output.assert_kept(content)
    assert not output.temporary.exists(), reason
    assert output.intents == []


@every_way
@others
def test_file_that_is_not_ours_is_kept_when_replaced(output, placing, content, existing, reason):
    output.target.write_bytes(content)
    assert output.place(output.task(**existing), placing, if_exists="replace")
    output.assert_placed()
    assert output.replaced == {"trip/a.png": content}, reason


def test_replaced_files_of_one_name_are_all_kept(output):
    placer, new = output.placer(if_exists="replace"), Content(len(NEW), hash_of(NEW))
    for content in (b"1", b"2", b"3"):
        output.target.write_bytes(content)
        output.temporary.write_bytes(NEW)
        assert placer.place(str(output.temporary), output.task(), new)
    assert output.replaced == {"trip/a.png": b"1", "trip/a-1.png": b"2", "trip/a-2.png": b"3"}


def make_link(output):
    (output.folder / "elsewhere").write_bytes(OLD)
    output.target.symlink_to(output.folder / "elsewhere")


def make_folder(output):
    output.target.mkdir()
    (output.target / "notes.txt").write_bytes(OLD)


SPECIAL = {
    "a symbolic link": make_link,
    "a folder": make_folder,
    "a named pipe": lambda output: os.mkfifo(output.target),
}
special = pytest.mark.parametrize(("kind", "make"), SPECIAL.items(), ids=SPECIAL.keys())


@every_way
@special
@pytest.mark.parametrize("if_exists", ["fail", "skip"])
def test_what_is_no_file_is_left_alone(output, placing, kind, make, if_exists):
    make(output)
    before = os.lstat(output.target)
    with raised_if(if_exists == "fail") as raised:
        assert not output.place(output.ours(), placing, if_exists=if_exists)
    assert if_exists == "skip" or f"is {kind}, which imgpool did not put there" in raised.value.message
    assert os.path.samestat(before, os.lstat(output.target))


@contextmanager
def raised_if(expected):
    if expected:
        with pytest.raises(TargetExistsError) as raised:
            yield raised
    else:
        yield None


@every_way
@special
def test_what_is_no_file_is_moved_as_a_whole(output, placing, kind, make):
    make(output)
    before = os.lstat(output.target)
    assert output.place(output.task(), placing, if_exists="replace")
    output.assert_placed()
    moved = output.state / "replaced" / "token" / "trip" / "a.png"
    assert os.path.samestat(before, os.lstat(moved)), kind
    if stat.S_ISLNK(before.st_mode):
        assert (output.folder / "elsewhere").read_bytes() == OLD


def test_file_that_cannot_be_read_is_not_ours(output, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    output.target.write_bytes(OLD)
    monkeypatch.setattr("imgpool.system.folder.Folder.open_file", refuse)
    monkeypatch.setattr("imgpool.work.intents.IntentLog.add", lambda *_: None)
    monkeypatch.setattr("imgpool.work.intents.IntentLog.withdraw_last", lambda *_: None)
    with pytest.raises(TargetExistsError, match="imgpool cannot tell whether it wrote it"):
        output.place(output.ours())
    output.assert_kept(OLD)


@pytest.mark.parametrize("content", [EDITED, OLD[::-1]], ids=["another size", "the same size"])
@every_way
def test_edit_between_hashing_and_renaming_is_kept(output, monkeypatch, placing, content):
    """The moment after the file was proved to be imgpool's own, and before it is replaced."""
    output.target.write_bytes(OLD)
    replace = Placer._replace

    def edit_and_replace(self, source, target, existing):
        output.target.write_bytes(content)
        return replace(self, source, target, existing)

    monkeypatch.setattr(Placer, "_replace", edit_and_replace)
    with pytest.raises(TargetExistsError, match="was changed since imgpool wrote it"):
        output.place(output.ours(), placing)
    output.assert_kept(content)
    assert output.temporary.read_bytes() == NEW


@pytest.mark.parametrize("kind", ["another file", "a folder", "a link"])
@every_way
def test_what_takes_the_place_before_renaming_is_kept(output, monkeypatch, placing, kind):
    output.target.write_bytes(OLD)
    replace = Placer._replace

    def swap_and_replace(self, source, target, existing):
        if output.target.is_file() and output.target.read_bytes() == OLD:
            output.target.rename(output.target.with_name("own.png"))
            make = {
                "another file": lambda: output.target.write_bytes(EDITED),
                "a folder": output.target.mkdir,
                "a link": lambda: output.target.symlink_to("own.png"),
            }
            make[kind]()
        return replace(self, source, target, existing)

    monkeypatch.setattr(Placer, "_replace", swap_and_replace)
    with pytest.raises(TargetExistsError):
        output.place(output.ours(), placing)
    assert output.target.with_name("own.png").read_bytes() == OLD
    expected = {"another file": stat.S_IFREG, "a folder": stat.S_IFDIR, "a link": stat.S_IFLNK}[kind]
    assert stat.S_IFMT(os.lstat(output.target).st_mode) == expected


@every_way
def test_own_file_that_disappears_before_renaming_is_no_error(output, monkeypatch, placing):
    output.target.write_bytes(OLD)
    replace = Placer._replace

    def remove_and_replace(self, source, target, existing):
        output.target.unlink()
        return replace(self, source, target, existing)

    monkeypatch.setattr(Placer, "_replace", remove_and_replace)
    assert output.place(output.ours(), placing)
    output.assert_placed()


def test_edit_is_kept_if_it_cannot_be_given_back(output, monkeypatch):
    """The names were exchanged, and the target has gone before they are exchanged again."""
    output.target.write_bytes(OLD)
    exchange = placing_module.exchange

    def exchange_edited(first, second):
        if output.target.read_bytes() == OLD:
            output.target.write_bytes(EDITED)
            exchange(first, second)
            output.target.unlink()
        else:
            exchange(first, second)

    monkeypatch.setattr(placing_module, "exchange", exchange_edited)
    with pytest.raises(FileNotFoundError):
        output.place(output.ours())
    assert output.replaced == {"trip/a.png": EDITED}


def test_two_edits_while_exchanging_are_both_kept(output, monkeypatch):
    """The file is edited after it was hashed, and saved under its name again before it is given back."""
    output.target.write_bytes(OLD)
    exchange, contents = placing_module.exchange, [EDITED, b"edited again"]

    def exchange_edited(first, second):
        new = output.folder / "saved"
        new.write_bytes(contents.pop(0))
        new.rename(output.target)
        exchange(first, second)

    monkeypatch.setattr(placing_module, "exchange", exchange_edited)
    with pytest.raises(FileNotFoundError):
        output.place(output.ours())
    output.assert_kept(EDITED)
    assert output.replaced == {"trip/a.png": b"edited again"}


def test_interrupt_while_exchanging_gives_the_old_file_back(output, monkeypatch):
    output.target.write_bytes(OLD)
    exchange, calls = placing_module.exchange, []

    def exchange_and_interrupt(first, second):
        exchange(first, second)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(placing_module, "exchange", exchange_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        output.place(output.ours())
    output.assert_kept(OLD)
    assert output.temporary.read_bytes() == NEW


def test_target_that_never_rests_fails_the_image(output, monkeypatch):
    output.target.write_bytes(OLD)
    monkeypatch.setattr(Placer, "_replace", lambda *_: False)
    with pytest.raises(TargetExistsError, match="is changed by another program all the time"):
        output.place(output.ours())
    output.assert_kept(OLD)


@every_way
def test_target_that_is_its_source_is_never_replaced(output, placing):
    output.source = output.target
    output.target.write_bytes(OLD)
    for if_exists in ("fail", "skip", "replace"):
        with pytest.raises(WriteError, match="would replace its own source"):
            output.place(output.ours(), placing, if_exists=if_exists)
    output.assert_kept(OLD)


def test_empty_file_of_a_worker_that_died_is_replaced(output):
    """It died between creating the target and renaming the result over it."""
    output.placer()._intents.add("trip/a.png", str(output.source), hash_of(NEW), len(NEW))
    output.target.write_bytes(b"")
    assert output.place(placing=CREATING)
    output.assert_placed()


def test_empty_file_without_an_earlier_intent_is_kept(output):
    output.placer()._intents.add("trip/b.png", str(output.source), hash_of(NEW), len(NEW))
    output.target.write_bytes(b"")
    with pytest.raises(TargetExistsError):
        output.place(placing=CREATING)
    output.assert_kept(b"")


@pytest.mark.parametrize("where", ["the folder", "a folder above"])
@pytest.mark.parametrize("to", ["outside", "inside", "nowhere"])
def test_linked_folder_of_results_is_refused(output, tmp_path, where, to):
    output.target.parent.rmdir()
    destination = {"outside": tmp_path / "outside", "inside": output.folder / "inside", "nowhere": tmp_path / "none"}[
        to
    ]
    if to != "nowhere":
        (destination / "b").mkdir(parents=True)
    output.target.parent.symlink_to(destination)
    if where == "a folder above":
        output.target = output.target.parent / "b" / "a.png"
    with pytest.raises(WriteError) as raised:
        output.place(if_exists="replace")
    assert (
        raised.value.message == f"{output.folder / 'trip'} is a symbolic link, and could lead out of the output folder"
    )
    assert "`follow_output_links`" in raised.value.hint
    assert [path for path in tmp_path.rglob("*.png") if path.parent.name in {"outside", "inside", "b"}] == []


def test_linked_folder_is_followed_on_request(output, tmp_path):
    output.target.parent.rmdir()
    (tmp_path / "outside").mkdir()
    output.target.parent.symlink_to(tmp_path / "outside")
    assert output.place(follow_links=True)
    assert (tmp_path / "outside" / "a.png").read_bytes() == NEW


def test_link_to_no_folder_is_named_when_links_are_followed(output, tmp_path):
    output.target.parent.rmdir()
    output.target.parent.symlink_to(tmp_path / "nowhere")
    with pytest.raises(WriteError, match="is a symbolic link that leads to no folder"):
        output.place(follow_links=True)


def test_folder_that_becomes_a_link_during_the_run_is_refused(output, tmp_path):
    placer, new = output.placer(), Content(len(NEW), hash_of(NEW))
    assert placer.place(str(output.temporary), output.task(), new)
    output.target.parent.rename(tmp_path / "moved")
    output.target.parent.symlink_to(tmp_path / "moved")
    output.temporary.write_bytes(NEW)
    with pytest.raises(WriteError, match="could lead out of the output folder"):
        placer.place(str(output.temporary), Task("s", str(output.target.with_name("b.png")), 1, 1), new)
    assert os.listdir(tmp_path / "moved") == ["a.png"]


def test_file_in_place_of_a_folder_is_named(output):
    output.target.parent.rmdir()
    output.target.parent.write_bytes(OLD)
    with pytest.raises(WriteError, match=r"trip is a file, where results need a folder"):
        output.place(if_exists="replace")
    assert output.target.parent.read_bytes() == OLD


def test_linked_folder_of_replaced_files_is_refused(output, tmp_path):
    (tmp_path / "outside").mkdir()
    (output.state / "replaced").symlink_to(tmp_path / "outside")
    output.target.write_bytes(EDITED)
    with pytest.raises(Exception, match="is a symbolic link"):
        output.place(if_exists="replace")
    output.assert_kept(EDITED)
    assert os.listdir(tmp_path / "outside") == []


def test_target_outside_the_output_is_refused(output, tmp_path):
    output.target = tmp_path / "elsewhere.png"
    with pytest.raises(WriteError, match="is not in the output folder"):
        output.place()
    assert not output.target.exists()


def test_up_to_date_target_is_found_by_its_hash(output):
    output.target.write_bytes(OLD)
    task = output.task(up_to_date=hash_of(OLD))
    assert output.placer().find_up_to_date(task) == Content(len(OLD), hash_of(OLD))
    assert output.placer().find_up_to_date(output.task(up_to_date=hash_of(NEW))) is None
    assert output.placer().find_up_to_date(output.ours()) is None
    assert output.placer().find_up_to_date(output.task()) is None
    output.target.unlink()
    assert output.placer().find_up_to_date(task) is None
    output.target.parent.rmdir()
    assert output.placer().find_up_to_date(task) is None
    assert not output.target.parent.exists()


@special
def test_what_is_no_file_is_never_up_to_date(output, kind, make):
    make(output)
    assert output.placer().find_up_to_date(output.task(up_to_date=hash_of(OLD))) is None, kind


SKIPPED = {
    "unknown": ({"up_to_date": "0"}, True),
    "edited": ({"sources": {hash_of(EDITED): "in/a.png"}}, True),
    "of another source": ({"sources": {hash_of(OLD): "in/b.png"}}, True),
    "of an interrupted run": ({"interrupted": True}, False),
}


@pytest.mark.parametrize(("existing", "skipped"), SKIPPED.values(), ids=SKIPPED.keys())
def test_existing_targets_are_skipped_at_once_on_request(output, existing, skipped):
    output.target.write_bytes(OLD)
    assert output.placer(if_exists="skip").must_skip(output.task(**existing)) is skipped
    assert not output.placer(if_exists="fail").must_skip(output.task(**existing))
    assert not output.placer(if_exists="replace").must_skip(output.task(**existing))
    output.target.unlink()
    assert not output.placer(if_exists="skip").must_skip(output.task(**existing))


def test_own_targets_are_not_skipped(output):
    output.target.write_bytes(OLD)
    assert not output.placer(if_exists="skip").must_skip(output.ours())
    assert not output.placer(if_exists="skip").must_skip(output.task())


def test_destinations_can_be_pickled(tmp_path):
    destination = Destination(
        str(tmp_path), str(tmp_path / ".imgpool"), "token", WITH_EXCHANGE, "skip", follow_links=True
    )
    assert pickle.loads(pickle.dumps(destination)) == destination


def test_placers_leave_no_descriptors_open(output):
    before = len(os.listdir("/proc/self/fd"))
    output.place()
    assert len(os.listdir("/proc/self/fd")) == before
