"""Scripts that create the built-in models; not part of the wheel."""
