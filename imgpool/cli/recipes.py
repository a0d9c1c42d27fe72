"""``imgpool recipes``: list the built-in recipes, or print one."""

from imgpool.cli._listing import Name, print_listing
from imgpool.cli._options import AsJson


def recipes_command(name: Name = None, *, as_json: AsJson = False) -> None:
    """List the built-in recipes, or print one as a YAML file to start your own from."""
    print_listing("recipes", name, as_json=as_json)
