"""``imgpool status``: what a run did, or how far it has come."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._interrupts import Interrupted


def status(
    *,
    output: Annotated[str, typer.Argument(metavar="OUT", help="The output folder of `imgpool process`.")],
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Follow a run that is going on until it ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Failures only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks too.")] = False,
) -> None:
    """Tell what the last run into a folder did, or how far the one under way has come.

    It names what failed, by cause and one by one, and how to go on. Exit codes: 0 told, whatever there was to
    tell, 2 imgpool has not written into this folder, 3 its journal cannot be read.
    """
    with exit_codes(verbose=verbose):
        from imgpool.output.status import Status
        from imgpool.report.status import status_json, status_lines, watch_run
        from imgpool.report.stdout import print_lines

        found = Status(output, tracebacks=verbose)
        if watch:
            try:
                watch_run(found, quiet=quiet)
            except Interrupted as error:  # looking away needs no word
                raise typer.Exit(128 + error.number) from None
        if as_json:
            print_json(status_json(found))
        else:
            print_lines(status_lines(found, verbose - quiet))
