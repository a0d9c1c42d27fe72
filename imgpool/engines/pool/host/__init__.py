"""The host process of the pool: owns the `multiprocessing.Pool` and its workers."""
