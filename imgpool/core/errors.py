"""Everything imgpool raises on purpose.

The tree::

    ImgpoolError
    ├── UsageError            exit 2: the command, recipe or folder is wrong; nothing was started
    │   └── RecipeError           an unknown filter, a bad parameter, a unit that does not fit
    ├── RunError              exit 3: the run cannot go on
    │   └── WorkerError           the workers could not be set up
    └── ImageError            one image failed; the run goes on
        ├── ReadError             the file cannot be read, or must not be
        ├── FilterError           a filter cannot work on this image
        └── WriteError            the output format cannot hold the result
"""


class ImgpoolError(Exception):
    """Base of every error imgpool raises on purpose.

    Parameters
    ----------
    message
        One sentence that says what is wrong, naming the file or option.
    hint
        What to do about it; empty when there is nothing useful to say.
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
    """A recipe names an unknown filter, or gives a parameter that does not fit."""


class RunError(ImgpoolError):
    """The run cannot go on; running the same command again continues it."""


class WorkerError(RunError):
    """The workers could not be set up, for instance because a model does not load."""


class ImageError(ImgpoolError):
    """One image failed; its neighbours go on."""


class ReadError(ImageError):
    """The file cannot be read as an image, or must not be (too large, truncated)."""


class FilterError(ImageError):
    """A filter cannot work on this image."""


class WriteError(ImageError):
    """The output format cannot hold the result."""
