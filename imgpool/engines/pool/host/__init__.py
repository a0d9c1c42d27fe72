"""Code of the host process: it owns the `multiprocessing.Pool`, decides what runs next, and watches the workers.

`main` has the entry points and `host` the loop. `chunk_scheduler` decides what runs next: it takes tasks from the
`backlog` in chunks (`chunk_length`) and starts them within the memory budget (`admission`). `watchdog` finds dead
workers. The arithmetic can be changed safely, as property tests cover it; `main` and `host` need the fault tests too.
"""
