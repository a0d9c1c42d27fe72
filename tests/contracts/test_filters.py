"""Every filter of the catalogue keeps the contract of filters; a new one is tested here without registration."""

from pathlib import Path

from imgpool.core.catalogue import FILTERS
from imgpool.testing import FilterContract

MODELS = Path(__file__).parents[1] / "data" / "models"
FOR_OTHER_IMAGES = ("separate_stains", "combine_stains")


class TestFilters(FilterContract):
    filters = tuple(each for each in FILTERS if each.name not in FOR_OTHER_IMAGES)


class TestSeparateStains(FilterContract):
    filters = (FILTERS["separate_stains"],)
    accepted_images = frozenset({"uint8 RGB", "uint16 RGB", "float32 RGB", "uint8 RGBA", "uint8 TYXS"})


class TestCombineStains(FilterContract):
    filters = (FILTERS["combine_stains"],)
    accepted_images = frozenset({"uint8 ZCYX", "float32 CYX"})


class TestModelsOfOthers(FilterContract):
    filters = (FILTERS["model"],)

    def examples(self, _filter):
        return [{"path": str(MODELS / "box3.onnx"), "dtype": "image"}, {"path": str(MODELS / "classes.zip")}]


def test_catalogue_holds_filters():
    assert {"gaussian", "rescale_intensity", "resize", "threshold", "label"} <= set(FILTERS.names())
