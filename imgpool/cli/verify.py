"""``imgpool verify``: whether the outputs are still those that were written."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json


def verify(
    *,
    output: Annotated[str, typer.Argument(metavar="OUT", help="The output folder of `imgpool process`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only what is wrong.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="A line for every file, and tracebacks.")] = False,
) -> None:
    """Read every output again and compare it with the journal, on every core.

    Named are outputs that are missing, changed, outdated (the last run failed to make them) or unreadable, and
    extra files. Exit codes: 0 all intact, 1 something is not, 2 there is no journal, 3 a run is writing there.
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
