"""Options that several commands have: one wording for one thing."""

from typing import Annotated

import typer

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help="Folders and image files.")]
RecipeName = Annotated[
    str | None,
    typer.Option("-r", "--recipe", metavar="NAME|FILE", help="A built-in recipe, or a YAML file. Default: enhance."),
]
FilterSteps = Annotated[
    list[str] | None,
    typer.Option("-f", "--filter", metavar="STEP", help="Instead of -r, repeatable: gaussian:sigma=2,truncate=3"),
]
ToFormat = Annotated[
    str | None, typer.Option("--to", metavar="FORMAT", help="Output format: tiff, or jpeg:quality=90.")
]
PixelLength = Annotated[str | None, typer.Option(metavar="LENGTH", help="For images that do not tell theirs: 0.325um")]
