"""Code of the host process: it owns the `multiprocessing.Pool`, decides what runs next, and watches the workers."""
