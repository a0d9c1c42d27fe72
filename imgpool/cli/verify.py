"""``imgpool verify``: check the outputs against the journal."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._options import AsJson, OutputFolder


def verify_command(
    *,
    output: OutputFolder,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what is wrong.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print a line for every file, and tracebacks.")
    ] = False,
) -> None:
    """Read every output again and compare it with the journal, on every core.

    Reports outputs that are missing, changed, unreadable or outdated (the last run failed to update them), and files
    that imgpool did not write.

    Exit codes: 0 all outputs are intact; 1 some are not; 2 there is no journal; 3 a run is writing to the folder.
    """
    with exit_codes(verbose=verbose):
        from imgpool.output.verify import Verification
        from imgpool.report.stdout import print_lines
        from imgpool.report.verify import VerificationResult, verification_json, verification_lines

        result = VerificationResult(Verification(output), quiet=quiet, keep_intact=verbose)
        if as_json:
            print_json(verification_json(result))
        else:
            print_lines(verification_lines(result, verbose - quiet))
        raise typer.Exit(result.exit_code)
