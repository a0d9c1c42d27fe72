"""Code of the parent process: it hands tasks to a host, keeps track of every task, and starts a new host when one dies.

`run_pool.run_pool` is the main loop.
"""
