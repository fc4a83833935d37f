"""`python -m core`."""

import gc
import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait give their core to the lab, or another run
gc.set_threshold(100_000, 50, 100)  # the libraries make a million lasting objects: looking for garbage finds none

from core.cli import main  # noqa: E402

code = main()
gc.freeze()  # what is left goes with the process: to look through it once more would take a second
sys.exit(code)
