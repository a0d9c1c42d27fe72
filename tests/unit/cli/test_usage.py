"""Errors of the command-line parser: one sentence, a remedy, exit code 2."""

import sys

import pytest

from imgpool.cli._app import main


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("--foo", "there is no option --foo", "see `imgpool -h`"),
        ("-x", "there is no option -x", "see `imgpool -h`"),
        ("proces in", "there is no command proces", "did you mean process?"),
        ("whatever", "there is no command whatever", "see `imgpool -h`"),
        ("process", "process needs INPUT", "write imgpool process INPUT; see `imgpool process -h`"),
        ("process in --outptu x", "process has no option --outptu", "did you mean --output?"),
        ("process in -zq", "process has no option -z", "see `imgpool process -h`"),
        ("process in --retries", "--retries needs a value", "write --retries N; see `imgpool process -h`"),
        ("process in -o", "-o needs a value", "write -o DIR; see `imgpool process -h`"),
        ("process in --serial=3", "--serial takes no value", "write --serial alone"),
        ("status", "status needs OUT", "write imgpool status OUT; see `imgpool status -h`"),
        ("filters a b", "filters takes no further argument: b", "remove it; see `imgpool filters -h`"),
        ("models --chek", "models has no option --chek", "did you mean --check?"),
        ("estimate flat", "estimate has no command flat", "see `imgpool estimate -h`"),
        (
            "estimate flat-field in",
            "estimate flat-field needs --output",
            "write imgpool estimate flat-field --output FILE; see `imgpool estimate flat-field -h`",
        ),
        (
            "estimate flat-field in --limit",
            "--limit needs a value",
            "write --limit N; see `imgpool estimate flat-field -h`",
        ),
    ],
)
def test_usage_error_is_one_sentence_with_a_remedy(monkeypatch, capsys, arguments, message, hint):
    monkeypatch.setattr(sys, "argv", ["imgpool", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert err.splitlines() == [f"imgpool: {message}", f"  → {hint}"]


@pytest.mark.parametrize("arguments", [[], ["estimate"]])
def test_command_without_arguments_prints_its_help(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["imgpool", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "Usage: " in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["process", "-h"], ["recipes"]])
def test_command_that_succeeds_exits_with_0(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["imgpool", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    assert capsys.readouterr().out
