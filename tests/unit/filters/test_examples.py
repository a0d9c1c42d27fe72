"""The examples in the help of every filter hold. Pytest's own doctests do not see inside a `Filter`."""

import doctest
import sys

import numpy as np
import pytest

from imgpool.core.catalogue import FILTERS


@pytest.mark.parametrize("name", FILTERS.names())
def test_examples_in_the_help_hold(name):
    function = FILTERS[name].function
    names = {"np": np} | vars(sys.modules[function.__module__])
    runner = doctest.DocTestRunner(verbose=False)
    for example in doctest.DocTestFinder(recurse=False).find(function, name, globs=names):
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
