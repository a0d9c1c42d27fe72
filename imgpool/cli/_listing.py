"""Output of the commands that list plug-ins or recipes."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Show only this one, in full.")]


def print_listing(kind: str, name: str | None, *, as_json: bool) -> None:
    """Print the list of all plug-ins of a kind, or the description of one."""
    with exit_codes():
        from imgpool.report.listing import LISTINGS
        from imgpool.system.streams import print_text

        listing = LISTINGS[kind]
        if as_json:
            print_json(listing.one_json(name) if name else listing.all_json())
        else:
            print_text(listing.one_text(name) if name else listing.all_text())
