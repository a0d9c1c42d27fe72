"""``imgpool filters``: list the filters, or explain one."""

from imgpool.cli._listing import Name, print_listing
from imgpool.cli._options import AsJson


def filters_command(name: Name = None, *, as_json: AsJson = False) -> None:
    """List the filters, or explain one: its parameters, units, ranges and reference."""
    print_listing("filters", name, as_json=as_json)
