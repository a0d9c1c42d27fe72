"""The Typer application with all commands."""

import sys
from typing import Annotated, Any, NoReturn, cast

import typer

from imgpool._version import __version__
from imgpool.cli._exit import EXIT_USAGE_ERROR, print_error
from imgpool.cli.compare import compare_command
from imgpool.cli.estimate import estimate_app
from imgpool.cli.filters import filters_command
from imgpool.cli.formats import formats_command
from imgpool.cli.models import models_command
from imgpool.cli.process import process_command
from imgpool.cli.recipes import recipes_command
from imgpool.cli.status import status_command
from imgpool.cli.verify import verify_command
from imgpool.system.streams import redirect_to_devnull, stdout_error

app = typer.Typer(
    name="imgpool",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes longer to import than everything else together
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command("process")(process_command)
app.command("compare")(compare_command)
app.command("status")(status_command)
app.command("verify")(verify_command)
app.command("filters")(filters_command)
app.command("recipes")(recipes_command)
app.command("formats")(formats_command)
app.command("models")(models_command)
app.add_typer(estimate_app, name="estimate")


def _print_version(requested: bool) -> None:  # noqa: FBT001 - Typer calls it with one positional argument
    if requested:
        typer.echo(f"imgpool {__version__}")
        raise typer.Exit


@app.callback()
def imgpool(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Process folders of scientific images and photos on every core, without losing an image."""


def main() -> NoReturn:
    """Run the application, and exit with its code."""
    usage_error = cast("type[Exception]", typer.BadParameter.__bases__[0])  # Typer does not export it
    try:
        code = app(standalone_mode=False)
    except usage_error as error:
        code = _exit_code_of(error)
    except OSError as error:  # stdout cannot be written, even for ``--help``
        redirect_to_devnull(sys.stdout)
        code = print_error(stdout_error(error))
    sys.exit(code)


def _exit_code_of(error: Any) -> int:  # noqa: ANN401 - a class of click, which Typer does not export
    """Print an error of the parser, or the help where that is the answer; return the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return EXIT_USAGE_ERROR
    from imgpool.cli._usage import explain_usage

    return print_error(explain_usage(error, typer.main.get_command(app), sys.argv[1:]))
