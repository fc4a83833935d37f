"""`python -m core`."""

import gc
import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait give their core to the lab, or another run
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # loading bars of libraries; we show progress ourselves
gc.set_threshold(100_000, 50, 100)  # the libraries make a million lasting objects: a search for garbage finds none

from core.cli import main  # noqa: E402

code = main()
gc.freeze()  # memory goes with the process: a last search for garbage would take a second
sys.exit(code)
