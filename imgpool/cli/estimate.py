"""``imgpool estimate``: estimate correction images, such as a flat field, from the data."""

from typing import Annotated

import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._numbers import parse_count, parse_whole
from imgpool.cli._options import AsJson, Inputs, MaxPixels, Quiet, Tracebacks, Workers

estimate_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@estimate_app.callback()
def estimate() -> None:
    """Estimate correction images, such as a flat field, from the data."""


@estimate_app.command("flat-field")
def flat_field_command(  # noqa: PLR0913 - one parameter per option of the command line
    *,
    inputs: Inputs,
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FILE", help="File to write: a float32 TIFF of mean 1, for example flat.tif."
        ),
    ],
    dark: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="An image taken without light, to subtract from every image."),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(metavar="N", help="Use at most N images, spread evenly over the inputs. Default: 400."),
    ] = None,
    workers: Workers = "auto",
    max_pixels: MaxPixels = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Tracebacks = False,
) -> None:
    """Estimate the uneven illumination that images share, for the filter flat_field.

    Use at least 20 images of the same size and type, taken with the same optics, of different scenes. More images and
    fewer objects give a better estimate: every place should show background in most of the images. Objects hardly
    affect the result. Without --dark, the dark level of the camera must be small compared with the background.

    Exit codes: 0 all images were used; 1 some failed, but the field was written; 2 bad usage, or the images differ in
    size or type; 3 no image could be used, or the field could not be written.
    """
    with exit_codes(verbose=verbose):
        from imgpool.calibration.flat_field import MAX_IMAGES, Estimation, FlatFieldSettings
        from imgpool.core.limits import MAX_PIXELS
        from imgpool.report.estimate import EstimationDisplay, estimate_json, estimate_lines
        from imgpool.report.stdout import print_lines

        estimation = Estimation(
            FlatFieldSettings(
                inputs=tuple(inputs),
                output=output,
                dark=dark,
                limit=MAX_IMAGES if limit is None else parse_whole(limit, "--limit", example=100),
                workers=parse_count(workers, "--workers"),
                force=force,
                max_pixels=MAX_PIXELS if max_pixels is None else parse_whole(max_pixels, "--max-pixels", example=10**9),
            )
        )
        flat = EstimationDisplay(estimation, quiet=quiet, verbose=verbose).run()
        if as_json:
            print_json(estimate_json(estimation, flat))
        elif not quiet:
            print_lines(estimate_lines(estimation, flat))
        raise typer.Exit(1 if flat.failed else 0)
