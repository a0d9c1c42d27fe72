"""The state of an output folder: who is writing into it, what is done, and whether it is still intact.

A run takes the lock and writes the run file (`lock`, `run_file`), appends a line to the journal for each finished
task (`journal`), and writes how it ended. `session` combines these steps. `status` and `verify` read the same files
from outside (`reader`), also while a run is going on or after it was killed. `layout` defines all names and paths,
and `state_folder` opens them without following links.

The journal's lines and the keys of the run file are formats on disk: folders of older versions must stay readable.
"""
