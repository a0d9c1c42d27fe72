"""``imgpool models``: list the built-in models, describe a model, or run its published test."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._options import AsJson, Tracebacks


def models_command(
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|PATH", help="A built-in model, a bioimage.io package (folder or zip) or an ONNX file."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Run the test that was published with the model.")] = False,
    as_json: AsJson = False,
    verbose: Tracebacks = False,
) -> None:
    """List the built-in models, describe a model, or run the test that was published with it.

    Exit codes: 0 success; 1 an output differs from the published one by more than is allowed (1e-4, unless the
    package declares another tolerance); 2 the package is missing, damaged or not supported; 3 the model does not load.
    """
    with exit_codes(verbose=verbose):
        if check:
            _check_model(name, as_json=as_json)
        else:
            _print_models(name, as_json=as_json)


def _print_models(name: str | None, *, as_json: bool) -> None:
    from imgpool.models.check import find_model
    from imgpool.report import models as report
    from imgpool.report.stdout import print_lines
    from imgpool.report.text import StyledLine

    model = None if name is None else find_model(name)
    if as_json:
        print_json(report.model_json(model) if model else report.built_in_models_json())
    else:
        print_lines([StyledLine(report.model_text(model) if model else report.built_in_models_text())])


def _check_model(name: str | None, *, as_json: bool) -> None:
    from imgpool.core.errors import UsageError
    from imgpool.models.check import check_model, find_model
    from imgpool.report.models import check_json, check_lines
    from imgpool.report.stdout import print_lines

    if name is None:
        raise UsageError("--check needs a model", "`imgpool models NAME|PATH --check`")
    checked = check_model(find_model(name))
    if as_json:
        print_json(check_json(checked))
    else:
        print_lines(check_lines(checked))
    raise typer.Exit(0 if checked.passed else 1)
