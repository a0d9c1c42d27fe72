"""Any set of names is either refused, or every result has a target of its own inside the output folder."""

import os
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imgpool.batch.scan import ImageFile
from imgpool.batch.targets import check_targets, make_tasks
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import UsageError
from imgpool.core.recipe import Output, Recipe
from imgpool.system.paths import fold

OUTPUT = "/an output/folder"
EXTENSIONS = [variant for format_ in FORMATS for ext in format_.extensions for variant in (ext, ext.upper())]
LETTERS = st.sampled_from(
    ["a", "A", "b", ".", "-", " ", "\n", "é", "e\u0301", "ß", "SS", "İ", "i", "\udcff", "🔬", ".tif"]
)
STEMS = st.lists(LETTERS, min_size=1, max_size=3).map("".join) | st.text(min_size=1, max_size=6)
PARTS = STEMS.filter(lambda part: "/" not in part and "\0" not in part and part not in {".", ".."})
PATHS = st.builds(
    lambda folders, stem, extension: os.path.join(*folders, stem + extension),
    st.lists(PARTS, max_size=2),
    PARTS,
    st.sampled_from(EXTENSIONS),
)
RECIPES = [Recipe("keep")] + [Recipe("to").with_output(Output.parse(name)) for name in ("png", "tiff", "jpeg")]


def on_any_file_system(path):
    """Normalise a path as a file system does that ignores case and Unicode composition."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", path).casefold())


def one_source_each(relatives):
    """Return the paths that are not also the folder of another one, as in a real folder."""
    folders = {str(parent) for relative in relatives for parent in PurePosixPath(relative).parents}
    return [relative for relative in relatives if relative not in folders]


def clash(targets):
    """Whether two targets are one file, or one is the folder of another, on some file system."""
    places = [on_any_file_system(target) for target in targets]
    folders = {on_any_file_system(str(parent)) for target in targets for parent in PurePosixPath(target).parents}
    return len(set(places)) < len(places) or bool(folders & set(places))


@example(["a.png", "a.tif/b.png"], RECIPES[2])
@example(["\u03aa\u0301.png", "\u0390.png"], RECIPES[0])
@settings(max_examples=300, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=8, unique=True).map(one_source_each), st.sampled_from(RECIPES))
def test_targets_are_distinct_or_refused(relatives, recipe):
    images = [ImageFile(os.path.join("/photos", relative), len("/photos/"), 1, 1) for relative in relatives]
    alone = [task for image in images for task in make_tasks([image], OUTPUT, recipe)]
    if clash([task.target for task in alone]):
        with pytest.raises(UsageError) as caught:
            check_targets(alone, OUTPUT, set(), fold=fold)
        assert caught.value.hint
    else:
        check_targets(alone, OUTPUT, set(), fold=fold)
    assert make_tasks(images, OUTPUT, recipe) == alone


@settings(deadline=None)
@given(PATHS, st.sampled_from(RECIPES))
def test_single_image_is_never_refused(relative, recipe):
    (task,) = make_tasks([ImageFile(f"/photos/{relative}", len("/photos/"), 1, 1)], OUTPUT, recipe)
    check_targets([task], OUTPUT, set(), fold=fold)
    assert task.source == f"/photos/{relative}"
    assert os.path.commonpath([OUTPUT, os.path.normpath(task.target)]) == OUTPUT
    assert os.path.dirname(task.target) == os.path.dirname(os.path.join(OUTPUT, relative))
    if recipe.output.format:
        assert task.target.lower().endswith(FORMATS[recipe.output.format].extensions)
    else:
        assert task.target == os.path.join(OUTPUT, relative)
