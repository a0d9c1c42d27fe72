"""The state of an output folder: journal, run file, lock, session, status and verification."""
