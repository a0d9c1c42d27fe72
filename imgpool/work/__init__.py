"""Processing of one file, and the state that a worker keeps between files.

`process_file` holds the worker's function and its initializer; `files` reads and writes single files, and is behind
`imgpool.read` and `imgpool.write`; `memory_estimate` predicts the memory that an image takes. A newcomer starts with
`process_file`. Nothing here knows about pools: engines call `process_file.process_file`.
"""
