"""The worker process of the pool: runs the function on one task after another."""
