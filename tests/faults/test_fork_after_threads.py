"""A pool forked from a process whose libraries have run threads, for which the children would wait forever."""

import subprocess
import sys

SCRIPT = """
import sys, cv2, numpy as np
import imgpool

cv2.setNumThreads(4)
noise = np.random.default_rng(0).integers(0, 255, (2000, 2000, 3), dtype=np.uint8)
cv2.GaussianBlur(noise, (31, 31), 5)
cv2.resize(noise, (999, 999), interpolation=cv2.INTER_AREA)
imgpool.write(imgpool.Image.from_array(noise[:50, :50]), sys.argv[1] + "/a.png")
results = imgpool.process(sys.argv[1], output=sys.argv[1] + "-out", workers=2, start_method="fork")
print([result.status for result in results], cv2.getNumThreads())
"""


def test_forked_pool_works_after_opencv_used_threads(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n")[0] == "['done'] 4", done.stderr
