"""``imgpool models``: list the built-in models, describe a model, or run its published test."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json


def models(
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|PATH", help="A built-in model, a bioimage.io package (folder or zip) or an ONNX file."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Run its published test.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks.")] = False,
) -> None:
    """List the built-in models, describe a model, or run the test that was published with it.

    Exit codes: 0 success; 1 an output differs from the published one by more than is allowed (1e-4, unless the
    package declares another tolerance); 2 the package is missing, damaged or not supported; 3 the model does not load.
    """
    with exit_codes(verbose=verbose):
        from imgpool.core.errors import UsageError
        from imgpool.models.check import check_model, find_model
        from imgpool.report.models import (
            built_in_models_json,
            built_in_models_text,
            check_json,
            check_lines,
            model_json,
            model_text,
        )
        from imgpool.report.stdout import print_lines
        from imgpool.report.text import StyledLine

        if name is None:
            if check:
                raise UsageError("--check needs a model", "`imgpool models NAME|PATH --check`")
            print_json(built_in_models_json()) if as_json else print_lines([StyledLine(built_in_models_text())])
            return
        model = find_model(name)
        if not check:
            print_json(model_json(model)) if as_json else print_lines([StyledLine(model_text(model))])
            return
        checked = check_model(model)
        if as_json:
            print_json(check_json(checked))
        else:
            print_lines(check_lines(checked))
        raise typer.Exit(0 if checked.passed else 1)
