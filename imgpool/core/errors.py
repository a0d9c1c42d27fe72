"""The exceptions that imgpool raises on purpose.

The hierarchy::

    ImgpoolError
    ├── UsageError            exit code 2: wrong command, recipe or folder; nothing was started
    │   └── RecipeError           unknown filter, wrong parameter or unit
    │       └── UnrecognisedModelError   a runtime does not run models of this kind
    ├── RunError              exit code 3: the run cannot continue
    │   └── WorkerError           the workers could not be set up
    └── ImageError            one image failed; the run continues
        ├── ReadError             the file cannot be read, or is refused
        ├── FilterError           a filter cannot process this image
        └── WriteError            the result cannot be written, for example because the format cannot hold it
            └── TargetExistsError     a file that is not proved to be this image's result is at its target

All have a message and a hint, survive pickling, and name parameters as `imgpool.core.hint` describes.
"""


class ImgpoolError(Exception):
    """Base class of all exceptions that imgpool raises on purpose.

    Parameters
    ----------
    message
        One sentence that says what is wrong, and names the file or the parameter.
    hint
        What to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["ImgpoolError"], tuple[str, str]]:
        return type(self), (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(ImgpoolError):
    """The command, the recipe or the folder is wrong; nothing was started."""


class RecipeError(UsageError):
    """A recipe names an unknown filter, or has a wrong parameter."""


class UnrecognisedModelError(RecipeError):
    """A model is of a kind that this runtime does not run; another runtime may."""


class RunError(ImgpoolError):
    """The run cannot continue; running the same command again continues it."""


class WorkerError(RunError):
    """The workers could not be set up, for example because a model does not load."""


class ImageError(ImgpoolError):
    """One image failed; the run continues."""


class ReadError(ImageError):
    """The file cannot be read as an image, or is refused, for example because it is too large or truncated."""


class FilterError(ImageError):
    """A filter cannot process this image."""


class WriteError(ImageError):
    """The result cannot be written, for example because the output format cannot hold it."""


class TargetExistsError(WriteError):
    """A file that imgpool cannot prove to be a result of this image exists at its target; it was left alone."""
