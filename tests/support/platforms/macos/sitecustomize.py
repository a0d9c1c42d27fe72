"""Let imgpool see the standard library as it is on another system: see `imitation`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from imitation import imitate

imitate("darwin")
