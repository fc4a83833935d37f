"""What allocations cost on the pruned model: Wanda, then perplexity on texts that nothing was chosen on.

    python -m tests.bench.allocations --calibration file:C4 --documents 0-599 --text file:C4 --text-documents 600-799 \
        --targets 0.5,0.7 --setting uniform --setting "owl m=5 lam=0.08" --setting "response objective=kl" --out FILE

One line of JSON per finished point; a second run adds only what is missing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from core import profiles
from core.allocation.allocate import allocate, estimate
from core.allocation.requests import BASES, AllocationRequest, Correction
from core.errors import UserError
from core.evaluation.perplexity import perplexity, window_losses
from core.models.loading import load
from core.models.sources import locate
from core.pruning.walk import restored, walk
from core.request import span
from core.specs import WindowRequest
from core.store import Store
from core.texts import windows


def main() -> None:
    asked = _options()
    store = Store()
    profile = profiles.load(store, store.profile(asked.profile))
    loaded = load(locate(asked.model, store))
    calibration = windows(_window(asked.calibration, asked.documents, asked, asked.sequences), loaded).tokens
    text = windows(_window(asked.text, asked.text_documents, asked, asked.windows), loaded).tokens
    done = {_name(row) for row in map(json.loads, asked.out.read_text().splitlines())} if asked.out.exists() else set()
    for target in map(float, asked.targets.split(",")):
        for setting in asked.setting:
            row = {
                "target": target,
                "setting": setting,
                "seed": asked.seed,
                "text": f"{asked.text} {asked.text_documents}",
            }
            if _name(row) in done:
                continue
            began = time.perf_counter()
            try:
                row |= _point(setting, target, profile, loaded, calibration, text)
            except UserError as error:
                row["error"] = str(error)
            row["seconds"] = round(time.perf_counter() - began, 1)
            with asked.out.open("a") as out:
                out.write(json.dumps(row) + "\n")
            print(target, setting, row.get("perplexity", row.get("error")), flush=True)


def _point(
    setting: str, target: float, profile: object, loaded: object, calibration: torch.Tensor, text: torch.Tensor
) -> dict:
    if setting == "dense":
        losses = window_losses(loaded, text)
        return {"perplexity": perplexity(losses), "losses": losses.round(5).tolist()}
    allocation = allocate(request_of(setting, target), profile)
    with restored(loaded):
        walk(loaded, calibration, allocation.sparsity, "wanda")
        losses = window_losses(loaded, text)
    found = {
        "perplexity": perplexity(losses),
        "losses": losses.round(5).tolist(),
        "sparsity": allocation.sparsity.round(5).tolist(),
    }
    for objective in ("drift", "kl", "nll"):
        try:
            found[f"estimate_{objective}"] = estimate(allocation.sparsity, profile, objective)
        except UserError:
            found[f"estimate_{objective}"] = None
    return found


def request_of(setting: str, target: float) -> AllocationRequest:
    """`owl m=5 lam=0.08 strength=0.04 driver=gaussian:0.3 control=reversed high=0.9` as a request."""
    base, *pairs = setting.split()
    given = dict(pair.split("=") for pair in pairs)
    whole = {name: given.pop(name) for name in ("low", "high") if name in given}
    fix = {name: given.pop(name) for name in ("strength", "driver", "control", "seed", "clip") if name in given}
    return AllocationRequest(base=BASES[base](**given), target=target, correction=Correction(**fix), **whole)


def _window(source: str, documents: str | None, asked: argparse.Namespace, count: int) -> WindowRequest:
    return WindowRequest(
        source=source, documents=span(documents), sequences=count, length=asked.length, seed=asked.seed
    )


def _name(row: dict) -> str:
    return f"{row['target']} {row['setting']} {row['seed']} {row['text']}"


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="demo")
    options.add_argument("--profile", default="demo")
    options.add_argument("--calibration", default="demo")
    options.add_argument("--documents")
    options.add_argument("--text", default="demo:evaluation")
    options.add_argument("--text-documents")
    options.add_argument("--sequences", type=int, default=16)
    options.add_argument("--windows", type=int, default=24)
    options.add_argument("--length", type=int, default=512)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--targets", default="0.7")
    options.add_argument("--setting", action="append", required=True)
    options.add_argument("--out", type=Path, required=True)
    return options.parse_args()


if __name__ == "__main__":
    main()
