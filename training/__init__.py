"""Scripts that create the built-in models; never part of the installed package. See ``training/README.md``."""
