"""Wrong options, arguments and commands, which Typer finds: its errors in the words of all other messages."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from imgpool.core.errors import UsageError


class _Usage:
    """What was called: the command and its parameters.

    Typer does not export the classes of its errors and commands, so they are typed as Any.

    Parameters
    ----------
    application
        The command of the whole application.
    arguments
        The command line after ``imgpool``.
    """

    def __init__(self, application: Any, arguments: Iterable[str]) -> None:  # noqa: ANN401 - see above
        self.command = application
        self.path = "imgpool"
        for word in arguments:
            command = getattr(self.command, "commands", {}).get(word)
            if command is None:
                break
            self.command = command
            self.path += f" {word}"

    @property
    def name(self) -> str:
        """The command in a message; empty for the application itself, whose name starts each message."""
        return self.path.partition(" ")[2]

    def has_no(self, missing: str) -> str:
        """Say that there is no such option or command."""
        return f"{self.name} has no {missing}" if self.name else f"there is no {missing}"

    @property
    def help(self) -> str:
        return f"see `{self.path} -h`"

    def metavar(self, option: str) -> str:
        """Return what stands for the value of an option: "SECONDS"."""
        found = [parameter.metavar for parameter in self.command.params if option in parameter.opts]
        return next(filter(None, found), "VALUE")


def explain_usage(error: Any, application: Any, arguments: Sequence[str]) -> UsageError:  # noqa: ANN401 - see `_Usage`
    """Convert an error of Typer's parser: one sentence about what is wrong, and a remedy.

    Parameters
    ----------
    error
        The error.
    application, arguments
        The command of the whole application, and the command line after ``imgpool``.
    """
    usage = _Usage(application, arguments)
    if hasattr(error, "possibilities"):
        options = [name for parameter in usage.command.params for name in parameter.opts]
        name = error.option_name
        return UsageError(usage.has_no(f"option {name}"), _suggest(name, options, usage))
    if hasattr(error, "option_name"):
        return _explain_value(error, usage)
    if getattr(error, "param", None) is not None:
        return _explain_parameter(error, error.param, usage)
    return _explain_words(error.message.rstrip("."), usage)


def _explain_value(error: Any, usage: _Usage) -> UsageError:  # noqa: ANN401 - see `_Usage`
    """Explain an option that lacks its value, or that takes none."""
    option = error.option_name
    if "does not take" in error.message:
        return UsageError(f"{option} takes no value", f"write {option} alone")
    return UsageError(f"{option} needs a value", f"write {option} {usage.metavar(option)}; {usage.help}")


def _explain_parameter(error: Any, parameter: Any, usage: _Usage) -> UsageError:  # noqa: ANN401 - see `_Usage`
    """Explain a parameter that is missing, or whose value is not accepted."""
    is_option = parameter.param_type_name == "option"
    name = parameter.opts[-1] if is_option else parameter.metavar or parameter.human_readable_name
    if hasattr(error, "param_type"):
        example = f"{name} {usage.metavar(name)}" if is_option else name
        return UsageError(f"{usage.name} needs {name}", f"write {usage.path} {example}; {usage.help}")
    reason = error.message.rstrip(".")
    return UsageError(f"{name}: {reason[:1].lower()}{reason[1:]}", usage.help)


def _explain_words(message: str, usage: _Usage) -> UsageError:
    """Explain an unknown command, or an argument too many."""
    if unknown := re.match("No such command '(.*?)'", message):
        hint = _suggest(unknown[1], usage.command.commands, usage)
        return UsageError(usage.has_no(f"command {unknown[1]}"), hint)
    if extra := re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", message):
        return UsageError(f"{usage.name} takes no further argument: {extra[1]}", f"remove it; {usage.help}")
    return UsageError(f"{message[:1].lower()}{message[1:]}", usage.help)


def _suggest(word: str, known: Iterable[str], usage: _Usage) -> str:
    """Return the remedy for an unknown word: the most similar known one, or the help."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else usage.help
