"""Operating-system services: processes, threads, memory, signals and standard streams.

All modules are public within imgpool and know nothing of images, recipes or runs. Each service has one module:
starting and ending processes (`processes`), what a child process does first (`child_process`), the memory of processes
(`memory`) and limits on it (`memory_limit`). Change these modules with care: most lines prevent a failure that was
observed once, and the tests under ``tests/faults`` cover them.
"""
