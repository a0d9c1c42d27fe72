"""Other ways to do the same work: each a list of commands for a `Job`."""
