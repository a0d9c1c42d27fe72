"""``imgpool recipes``: filters put together, ready to use."""

from imgpool.cli._listing import AsJson, Name, show


def recipes(name: Name = None, *, as_json: AsJson = False) -> None:
    """List the recipes in the box, or show one as a YAML file to start your own from."""
    show("recipes", name, as_json=as_json)
