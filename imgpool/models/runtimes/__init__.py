"""Model runtimes: plug-ins that load a model and compute with it."""
