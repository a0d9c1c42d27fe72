"""Other ways to do the same work, each of which gives a list of commands for a `Job`."""
