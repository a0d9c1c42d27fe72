"""SHA-256 of files: how tests compare the outputs of runs."""

import hashlib
from pathlib import Path


def content_hash(content):
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def output_hashes(folder):
    """The SHA-256 of every file below a folder, by relative path; the state that imgpool keeps there is left out."""
    return {
        path.relative_to(folder).as_posix(): content_hash(path.read_bytes())
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and ".imgpool" not in path.relative_to(folder).parts
    }
