"""Run the command line: ``python -m imgpool``."""

from imgpool.cli import main

if __name__ == "__main__":
    main()
