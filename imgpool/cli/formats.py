"""``imgpool formats``: list the formats, or describe one."""

from imgpool.cli._listing import Name, print_listing
from imgpool.cli._options import AsJson


def formats_command(name: Name = None, *, as_json: AsJson = False) -> None:
    """List the formats, or describe one: what it can hold and how it is written."""
    print_listing("formats", name, as_json=as_json)
