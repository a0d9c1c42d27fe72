"""Worker functions of a textbook script, one per file: as in a tutorial, without tuning."""
