"""Plug-ins by name."""

import py_compile
import sys
import uuid

import pytest

from imgpool.core.catalogue import ENGINES, FILTERS, FORMATS, Catalogue, split_extension
from imgpool.core.errors import RecipeError

PLUGIN = """
from types import SimpleNamespace
{name} = SimpleNamespace(name="{name}", home="{home}")
__all__ = ["{name}"]
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two plug-in modules and a helper that must not be imported."""
    name = f"plugins_{uuid.uuid4().hex}"
    folder = tmp_path / "site" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "first.py").write_text(PLUGIN.format(name="blur", home="built in") + "helper = None\n")
    (folder / "second.py").write_text(PLUGIN.format(name="sharpen", home="built in"))
    (folder / "_helper.py").write_text("raise RuntimeError('helpers are no plug-ins')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def install(site, group, point, source):
    """Install a distribution with one entry point, as pip would."""
    module = f"other_{uuid.uuid4().hex}"
    (site / f"{module}.py").write_text(source)
    metadata = site / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{point} = {module}:{point}\n")
    return module


def test_plugins_are_those_in_all_of_public_modules(package):
    catalogue = Catalogue("thing", package)
    assert catalogue.names() == ["blur", "sharpen"]
    assert [plugin.name for plugin in catalogue] == ["blur", "sharpen"]
    assert "blur" in catalogue
    assert "helper" not in catalogue


def test_only_the_module_of_the_plugin_is_imported(package):
    assert Catalogue("thing", package)["sharpen"].home == "built in"
    assert f"{package}.second" in sys.modules
    assert f"{package}.first" not in sys.modules


@pytest.mark.parametrize("compiled", [False, True])
def test_plugin_whose_name_is_not_in_a_source_is_found(package, tmp_path, compiled):
    folder = tmp_path / "site" / package
    source = "from types import SimpleNamespace\nplugin = SimpleNamespace(name='s' 'h')\n__all__ = ['plugin']\n"
    (folder / "third.py").write_text(source)
    if compiled:
        py_compile.compile(str(folder / "third.py"), cfile=str(folder / "third.pyc"))
        (folder / "third.py").unlink()
    assert Catalogue("thing", package)["sh"].name == "sh"


def test_module_that_only_mentions_a_name_is_skipped(package, tmp_path):
    (tmp_path / "site" / package / "another.py").write_text('word = "sharpen"\n__all__ = []\n')
    assert Catalogue("thing", package)["sharpen"].home == "built in"


def test_unknown_name_suggests_a_similar_one(package):
    with pytest.raises(RecipeError, match="no thing is called 'sharpn'") as caught:
        Catalogue("thing", package)["sharpn"]
    assert caught.value.hint == "did you mean sharpen?"


def test_installed_distribution_adds_plugins(package, tmp_path):
    install(tmp_path / "site", package, "invert", PLUGIN.format(name="invert", home="other"))
    catalogue = Catalogue("thing", package)
    assert catalogue.names() == ["blur", "invert", "sharpen"]
    assert catalogue["invert"].home == "other"


def test_installed_distribution_does_not_replace_built_in_plugin(package, tmp_path):
    install(tmp_path / "site", package, "blur", PLUGIN.format(name="blur", home="other"))
    catalogue = Catalogue("thing", package)
    assert catalogue["blur"].home == "built in"
    assert [plugin.home for plugin in catalogue] == ["built in"] * 2


def test_missing_requirement_is_named_with_its_remedy(package, tmp_path):
    module = install(tmp_path / "site", package, "invert", "import a_module_that_nobody_has")
    with pytest.raises(RecipeError, match=module) as caught:
        Catalogue("thing", package)["invert"]
    assert caught.value.hint == "pip install a_module_that_nobody_has"


@pytest.mark.parametrize("source", ["raise RuntimeError('broken')", "other = 1", "def :"])
def test_plugin_that_fails_to_import_is_a_recipe_error(package, tmp_path, source):
    install(tmp_path / "site", package, "invert", source)
    with pytest.raises(RecipeError, match="invert"):
        Catalogue("thing", package)["invert"]


def test_broken_distribution_does_not_hide_other_plugins(package, tmp_path):
    """Listing filters or finding a format by extension must not depend on everything that is installed."""
    install(tmp_path / "site", package, "invert", "import a_module_that_nobody_has")
    assert [plugin.name for plugin in Catalogue("thing", package)] == ["blur", "sharpen"]


@pytest.mark.parametrize("catalogue", [FILTERS, FORMATS, ENGINES], ids=lambda catalogue: catalogue.kind)
def test_every_plugin_is_found_by_its_name(catalogue):
    assert catalogue.names()
    assert [plugin.name for plugin in catalogue] == catalogue.names()
    assert all(catalogue[name] is catalogue[name] for name in catalogue.names())


def test_no_two_formats_share_an_extension():
    extensions = [extension for format_ in FORMATS for extension in format_.extensions]
    assert len(extensions) == len(set(extensions))
    assert all(extension[0] == "." and extension == extension.lower() for extension in extensions)


@pytest.mark.parametrize(
    ("name", "stem", "format_"),
    [
        ("a.png", "a", "png"),
        ("a.PNG", "a", "png"),
        ("a.b.JpEg", "a.b", "jpeg"),
        ("a.tif", "a", "tiff"),
        ("a.ome.tif", "a", "tiff"),
        ("a.OME.TIF", "a", "tiff"),
        ("-a\n.png", "-a\n", "png"),
        ("\udcff.png", "\udcff", "png"),
        ("a.png.txt", "a.png.txt", None),
        ("png", "png", None),
        (".png", ".png", None),
        ("a.", "a.", None),
        ("", "", None),
    ],
)
def test_extension_determines_the_format(name, stem, format_):
    found_stem, found = split_extension(name)
    assert (found_stem, found and found.name) == (stem, format_)
