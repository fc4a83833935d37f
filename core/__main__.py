"""`python -m core`."""

import gc
import os
import sys

from core import ENVIRONMENT

os.environ |= ENVIRONMENT | os.environ
gc.set_threshold(100_000, 50, 100)  # the libraries make a million lasting objects: a search for garbage finds none

from core.cli import main  # noqa: E402

code = main()
gc.freeze()  # memory goes with the process: a last search for garbage would take a second
sys.exit(code)
