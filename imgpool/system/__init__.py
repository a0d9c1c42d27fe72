"""Operating-system services: processes, memory, files, signals and standard streams, the same on every system.

All modules are public within imgpool and know nothing of images, recipes or runs. Each has one subject:

- starting processes: `start_methods`, `processes`, `child_process` (what a child does first), `fork_server`, `isolated`
  (calling a function in a process of its own), `start_errors` (when the system refuses)
- processes that hang while they start: `start_limit`, `process_usage`, `import_note`
- ending processes: `signals`, `signal_watchdog`, `native_exit`, `parent_death`, `job_objects` and `console` (Windows)
- telling processes apart: `process_id`, `process_identity`
- processors and memory: `resources` (what a run may use), `memory`, `memory_limit`, `threads`, `heap`, `gc_control`,
  `queued_time`
- names and paths: `paths`, `file_names` (their encoding), `file_kinds`
- files and folders: `files`, `folder` (nothing in it is reached through a link), `rename` (nothing is replaced
  unnoticed), `durability`, `temporary`
- standard streams: `streams`

Change these modules with care: most lines prevent a failure that was observed once, and the tests under
``tests/faults`` cover them.
"""
