"""The parent process of the pool: hands out tasks and collects results."""
