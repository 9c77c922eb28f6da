"""The command ``heddle``, also ``python -m heddle``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
