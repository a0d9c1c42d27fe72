"""``imgpool estimate``: what filters lean on, found in the images themselves."""

from typing import Annotated

import typer

from imgpool.cli._count import count
from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._options import Inputs

estimate = typer.Typer(
    name="estimate",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Find in the images themselves what a filter leans on.",
)


@estimate.callback()
def _estimate() -> None:
    """Find in the images themselves what a filter leans on."""


@estimate.command("flat-field")
def flat_field(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    inputs: Inputs,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="The field, as a float32 TIFF of mean 1: flat.tif")
    ],
    dark: Annotated[
        str | None, typer.Option(metavar="FILE", help="Taken without light; it is subtracted from every image.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take no more images, evenly out of all. Default: 400.")
    ] = None,
    workers: Annotated[str, typer.Option("-j", "--workers", metavar="N|auto", help="Processes.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Failures only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks.")] = False,
) -> None:
    """Estimate the uneven light that images share, for the filter flat_field.

    Images of one size and kind, taken with the same optics, of scenes that differ; the more, and the sparser the
    cells, the better: at least 20, with background at every place in most of them. What stands out from the
    background of its image counts little. Without --dark, the camera's dark level must be small beside the
    background. Exit codes: 0 all images were used, 1 some failed, the field is written, 2 bad usage, or images that
    differ, 3 no image could be used, or the field not be written.
    """
    with exit_codes(verbose=verbose):
        from imgpool.calibration.flat_field import MAX_IMAGES, Estimation, FlatFieldSettings
        from imgpool.report.estimate import EstimationDisplay, estimate_json, estimate_lines
        from imgpool.report.stdout import print_lines

        estimation = Estimation(
            FlatFieldSettings(
                inputs=tuple(inputs),
                output=output,
                dark=dark,
                limit=limit or MAX_IMAGES,
                workers=count(workers, "--workers"),
                force=force,
            )
        )
        flat = EstimationDisplay(estimation, quiet=quiet, verbose=verbose).run()
        if as_json:
            print_json(estimate_json(estimation, flat))
        elif not quiet:
            print_lines(estimate_lines(estimation, flat))
        raise typer.Exit(1 if flat.failed else 0)
