"""The worker functions of a textbook script, one a file: what a tutorial shows, with nothing tuned."""
