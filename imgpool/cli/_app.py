"""The commands, put together."""

from typing import Annotated

import typer

from imgpool._version import __version__
from imgpool.cli.compare import compare
from imgpool.cli.estimate import estimate
from imgpool.cli.filters import filters
from imgpool.cli.formats import formats
from imgpool.cli.models import models
from imgpool.cli.process import process
from imgpool.cli.recipes import recipes
from imgpool.cli.status import status
from imgpool.cli.verify import verify

app = typer.Typer(
    name="imgpool",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes longer to import than all the rest
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for command in (process, compare, status, verify, filters, recipes, formats, models):
    app.command()(command)
app.add_typer(estimate)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature of a callback
    if wanted:
        typer.echo(f"imgpool {__version__}")
        raise typer.Exit


@app.callback()
def imgpool(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Process folders of scientific images and photos on every core, without losing one."""


def main() -> None:
    """Run the command line."""
    app()
