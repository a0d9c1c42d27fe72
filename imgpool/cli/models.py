"""``imgpool models``: the models in the box, and what a package expects and gives."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json


def models(
    *,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|PATH", help="One in the box, a bioimage.io package (folder, zip), an ONNX file."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Run its published test, and tell the difference.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks.")] = False,
) -> None:
    """List the models in the box, explain a package, or run the test that it was published with.

    Exit codes: 0 told, or as published; 1 the test differs by more than is allowed (1e-4, or what the package says),
    2 no package, a damaged one, or one that asks for what is not supported, 3 the model does not load.
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
