"""Numerical kernels of the filters: functions from arrays to arrays that know nothing of alpha, metadata or files.

Private to `imgpool.filters`. A kernel may be replaced by a faster one that gives the same result; the tests in
``tests/equivalence`` compare the filters with scikit-image.
"""
