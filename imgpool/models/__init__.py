"""Model runtimes and packages."""
