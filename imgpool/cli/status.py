"""``imgpool status``: show the status of the last run into a folder."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._interrupts import Interrupted
from imgpool.cli._options import AsJson, OutputFolder, Quiet, Tracebacks


def status_command(
    *,
    output: OutputFolder,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Follow the current run until it ends.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Tracebacks = False,
) -> None:
    """Show the status of the last run into a folder, or the progress of the current one.

    Failures are listed by cause and one by one, with advice on how to continue.

    Exit codes: 0 success, even if the run failed; 2 imgpool has not written to this folder; 3 its journal cannot be
    read.
    """
    with exit_codes(verbose=verbose):
        from imgpool.output.status import Status
        from imgpool.report.status import status_json, status_lines, watch_run
        from imgpool.report.stdout import print_lines

        status = Status(output, tracebacks=verbose)
        if watch:
            try:
                watch_run(status, quiet=quiet)
            except Interrupted as error:  # no message: the user only stopped watching
                raise typer.Exit(128 + error.number) from None
        if as_json:
            print_json(status_json(status))
        else:
            print_lines(status_lines(status, verbose - quiet))
