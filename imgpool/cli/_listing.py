"""What the commands that list the catalogue share."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json

Name = Annotated[str | None, typer.Argument(help="Show this one alone, in full.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(kind: str, name: str | None, *, as_json: bool) -> None:
    """Print the listing of a kind of plug-in, or of one of them."""
    with exit_codes():
        from imgpool.report.listing import LISTINGS
        from imgpool.system.streams import print_text

        listing = LISTINGS[kind]
        if as_json:
            print_json(listing.one_json(name) if name else listing.all_json())
        else:
            print_text(listing.one_text(name) if name else listing.all_text())
