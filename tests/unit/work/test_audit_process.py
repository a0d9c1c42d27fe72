"""A worker's terminal: C libraries are kept off it, Python's own words are not."""

import subprocess
import sys

SCRIPT = """
import multiprocessing, os, sys
from imgpool.core.recipe import Recipe
from imgpool.work.process_file import Job, set_up

def worker():
    set_up(Job(Recipe("none"), "."))
    os.write(2, b"TIFFReadDirectory: Warning, unknown field\\n")
    print("Python", file=sys.stderr)

child = multiprocessing.get_context("fork").Process(target=worker)
child.start()
child.join()
set_up(Job(Recipe("none"), "."))
os.write(2, b"the parent\\n")
"""


def test_warnings_of_c_libraries_do_not_flood_the_terminal():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "Python\nthe parent\n"
