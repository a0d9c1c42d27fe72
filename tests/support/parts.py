"""Reading a part of a file."""


def read_part(format_, path, part):
    """Open a file, and read one part of it."""
    with format_.open(path) as reader:
        return reader.read(part)
