"""Code of the parent process: it hands tasks to a host, keeps track of every task, and starts a new host when one dies.

`run_pool.run_pool` is the main loop. `task_tracker` decides what runs again, and `worker_count` how many workers there
are, from what `run_monitor` measures; these start no process and can be changed safely. `host_process` and `prefork`
start and end hosts; changes there need the fault tests. Callers outside the engine use only `start_prefork_host`.
"""
