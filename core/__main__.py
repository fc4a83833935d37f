"""`python -m core`."""

import gc
import os
import sys

# Threads that wait for each other do so awake for half a millisecond, then give their core to the lab, or another run:
# at once asleep, a layer took 1.15 times as long on two cores
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # loading bars of libraries; we show progress ourselves
gc.set_threshold(100_000, 50, 100)  # the libraries make a million lasting objects: a search for garbage finds none

from core.cli import main  # noqa: E402

code = main()
gc.freeze()  # memory goes with the process: a last search for garbage would take a second
sys.exit(code)
