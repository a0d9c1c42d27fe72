"""``imgpool formats``: what can be read and written."""

from imgpool.cli._listing import AsJson, Name, show


def formats(name: Name = None, *, as_json: AsJson = False) -> None:
    """List the formats, or explain one: what it holds and how it is written."""
    show("formats", name, as_json=as_json)
