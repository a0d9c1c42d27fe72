"""Runs, and what reads their outputs, in the process of the test: for many small cases."""

import imgpool
from imgpool.output.verify import Verification


def process(photos, output, **options):
    """Process all photos in this process; return the statuses of the results."""
    results = imgpool.process(photos, output=output, filters=["gaussian:sigma=1"], engine="serial", **options)
    return [result.status for result in results]


def verify(output):
    return list(Verification(str(output)).check_files())
