"""``imgpool filters``: what can be done to an image."""

from imgpool.cli._listing import AsJson, Name, show


def filters(name: Name = None, *, as_json: AsJson = False) -> None:
    """List the filters, or explain one: its parameters, units, ranges and reference."""
    show("filters", name, as_json=as_json)
