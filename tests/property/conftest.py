"""The same examples every time; `pytest --hypothesis-profile=default tests/property` looks for new ones."""

from hypothesis import settings

settings.register_profile("imgpool", derandomize=True, deadline=None)
settings.load_profile("imgpool")
