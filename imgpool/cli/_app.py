"""The Typer application with all commands."""

from typing import Annotated

import typer

from imgpool._version import __version__
from imgpool.cli.compare import compare_command
from imgpool.cli.estimate import estimate_app
from imgpool.cli.filters import filters_command
from imgpool.cli.formats import formats_command
from imgpool.cli.models import models_command
from imgpool.cli.process import process_command
from imgpool.cli.recipes import recipes_command
from imgpool.cli.status import status_command
from imgpool.cli.verify import verify_command

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


def main() -> None:
    """Run the application."""
    app()
