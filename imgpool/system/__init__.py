"""Operating-system services: processes, threads, memory, signals and standard streams."""
