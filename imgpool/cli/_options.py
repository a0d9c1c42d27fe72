"""Options that several commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help="Folders and image files.")]
RecipeName = Annotated[
    str | None,
    typer.Option("-r", "--recipe", metavar="NAME|FILE", help="A built-in recipe or a YAML file. Default: enhance."),
]
FilterSteps = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--filter",
        metavar="STEP",
        help="A filter to apply instead of a recipe, for example gaussian:sigma=2,truncate=3. Repeat it for more "
        "filters.",
    ),
]
ToFormat = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="FORMAT",
        help="Output format, for example tiff or jpeg:quality=90. Default: that of the recipe or the input.",
    ),
]
PixelLength = Annotated[
    str | None, typer.Option(metavar="LENGTH", help="Pixel size for images that have none, for example 0.325um.")
]
Workers = Annotated[str, typer.Option("-j", "--workers", metavar="N|auto", help="Number of worker processes.")]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory limit for all workers together, for example 8GiB. An image that needs more than its share waits, "
        "and runs alone if necessary. Default: the available memory.",
    ),
]
MaxPixels = Annotated[
    str | None, typer.Option(metavar="N", help="Refuse images with more pixels. Default: 4294967296.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print failures and warnings only.")]
Tracebacks = Annotated[bool, typer.Option("-v", "--verbose", help="Print tracebacks.")]
OutputFolder = Annotated[str, typer.Argument(metavar="OUT", help="The output folder of `imgpool process`.")]
