"""What training wins back, on other text too: `python -m tests.bench.recovered STUDY CACHE TEXT TASKS`.

STUDY is a study's file whose settings are trained, CACHE a folder with the trainings that were kept (else they are
trained there), TEXT the file of WikiText-2 test, TASKS a folder of task files. Each setting is judged before and after
its training on windows that the pruner read too, on others that it trained on, on those held back, on the study's own
text and on TEXT, and by zero-shot tasks. It writes its rows into the table that Evidence shows, beside those of other
studies: what is lower on what was read, and not elsewhere, was learnt by heart.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd

from core.base import per_cent
from core.judge import resolve, zeroshot
from core.methods import training_windows, validation_windows
from core.models import ProgressTracker, load, locate, losses, windows
from core.prune import make_exact, prune, restored
from core.requests import WindowRequest, read_study
from core.show.report import bench_file
from core.store import Store

WINDOWS = 48  # of 512 tokens, of each text
QUESTIONS = 200  # of each task
TASKS = ["arc_easy", "hellaswag", "winogrande", "openbookqa"]
HELD_OUT, WIKITEXT = "C4 held out", "WikiText-2"


def main(study, cache, text, tasks):
    """Print a row as it is known; the table is written after each."""
    request, store = read_study(Path(study)), Store(Path(cache))
    loaded = load(locate(request.model, store), request.dtype, store)
    resolved = resolve(request, loaded, store)
    [read] = (each.tokens for each in resolved.calibration.values())
    wikitext = WindowRequest(source=f"file:{text}", sequences=WINDOWS, length=read.shape[1])
    texts = {
        "pruned and trained on": read[training_windows(len(read))][:WINDOWS],  # where the pruner reads as many of them
        "trained on": read[training_windows(len(read))][-WINDOWS:],
        "held back": read[validation_windows(len(read))],
        HELD_OUT: resolved.text.tokens,
        WIKITEXT: windows.windows(wikitext, loaded).tokens,
    }
    dense = {name: losses.reference(loaded, tokens) for name, tokens in texts.items()}
    asked = zeroshot.tasks(TASKS, Path(tasks))
    table = pd.read_csv(bench_file("recovered"), index_col="setting")
    for setting in [None, *(each for one in request.settings for each in (one.untrained, one))]:
        with restored(loaded) if setting else nullcontext():
            if setting:
                pruned = make_exact(setting, request, loaded, store, dict(resolved.calibration))
                prune(loaded, pruned, resolved.calibration, store, ProgressTracker(print), "", (0, 0, 0, 0), print)
            found = {name: losses.evaluate(loaded, texts[name], dense[name]) for name in texts}
            right = {each.name: zeroshot.score(loaded, each, QUESTIONS, 0).acc.mean() for each in asked}
        row = pd.Series(
            {f"perplexity, {name}": np.exp(found[name].nll.mean()) for name in (HELD_OUT, WIKITEXT)}
            | {f"KL {name}, nats": losses.kl.mean() for name, losses in found.items()}
            | {"right answers, %": 100 * np.mean(list(right.values()))}
            | {f"{name}, %": 100 * share for name, share in right.items()}
        )
        print(row, flush=True)
        table.loc[called(setting) if setting else "dense"] = row
        table.to_csv(bench_file("recovered"), float_format="%.6g")


def called(setting):
    """In a word or two; allocation, pruner and repair are those of the whole study."""
    seed = f", calibration seed {setting.calibration_seed}" * bool(setting.calibration_seed)
    return f"{per_cent(setting.allocation.target)} zeros{seed}, {'trained' if setting.distills else 'before'}"


if __name__ == "__main__":
    main(*sys.argv[1:])
