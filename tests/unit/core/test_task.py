"""Tasks and results cross process boundaries unchanged."""

import pickle

from imgpool.core.task import Failure, Result, Task


def test_task_and_result_survive_pickling():
    task = Task("/in/a\udcff.tif", "/out/a.tif", 2**40, 1_700_000_000_123_456_789)
    result = Result(
        task,
        "failed",
        Failure("read", "ReadError", "it is damaged", "copy it again", "Traceback"),
        {"read": 0.25},
        (0.1, 0.2),
        (2, 3),
        "uint16",
        "YX",
        12,
        "ab",
        "cd",
        ("pixel_size",),
        77,
        2,
        1234.5,
    )
    assert all(getattr(result, name) for name in Result.__slots__)
    assert pickle.loads(pickle.dumps((task, result))) == (task, result)
