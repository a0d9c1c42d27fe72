"""The life of a folder: scan, plan, journal, run."""
