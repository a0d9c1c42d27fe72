"""One worker function, run by different libraries.

``python -m benchmarks.peers.dispatch LIBRARY WORK INPUT OUTPUT SUFFIX WORKERS`` processes a folder with a textbook
worker function.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

Worker = Callable[[str], None]


def pool_map(worker: Worker, sources: Sequence[str], workers: int) -> None:
    """Run ``Pool.map`` with the chunks that it chooses."""
    from multiprocessing import Pool

    with Pool(workers) as pool:
        pool.map(worker, sources)


def pool_imap_unordered(worker: Worker, sources: Sequence[str], workers: int) -> None:
    """Run ``Pool.imap_unordered``, file by file."""
    from multiprocessing import Pool

    with Pool(workers) as pool:
        for _ in pool.imap_unordered(worker, sources):
            pass


def executor(worker: Worker, sources: Sequence[str], workers: int) -> None:
    """Run ``concurrent.futures.ProcessPoolExecutor``."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(worker, sources):
            pass


def joblib(worker: Worker, sources: Sequence[str], workers: int) -> None:
    """Run joblib with its default backend, loky."""
    from joblib import Parallel, delayed

    Parallel(n_jobs=workers)(delayed(worker)(source) for source in sources)


def mpire(worker: Worker, sources: Sequence[str], workers: int) -> None:
    """Run mpire with the chunks that it chooses."""
    from mpire import WorkerPool

    with WorkerPool(n_jobs=workers) as pool:
        pool.map_unordered(worker, sources)


def dask(worker: Worker, sources: Sequence[str], workers: int) -> None:
    """Run a ``dask.bag`` on processes."""
    from dask.bag import from_sequence

    from_sequence(sources).map(worker).compute(scheduler="processes", num_workers=workers)


LIBRARIES = {
    "map": pool_map,
    "imap_unordered": pool_imap_unordered,
    "ProcessPoolExecutor": executor,
    "joblib": joblib,
    "mpire": mpire,
    "dask.bag": dask,
}


def process(work: str, output: str, suffix: str, source: str) -> None:
    """Process one file."""
    import_module(f"benchmarks.peers.textbook.{work}").process(source, str(Path(output, Path(source).stem + suffix)))


def main(library: str, work: str, folder: str, output: str, suffix: str, workers: str) -> None:
    """Process a folder."""
    import_module(f"benchmarks.peers.textbook.{work}")  # like the imports at the top of a script
    sources = sorted(str(path) for path in Path(folder).iterdir())
    LIBRARIES[library](partial(process, work, output, suffix), sources, int(workers))


if __name__ == "__main__":
    main(*sys.argv[1:])
