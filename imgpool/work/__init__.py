"""The life of one file, and the state of one worker."""
