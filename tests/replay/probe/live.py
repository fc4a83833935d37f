"""Figures of a tiny model of a fixed seed that is measured, pruned, searched and exported here and now."""

import json
import re
import shutil
from functools import cache

from safetensors.torch import load_file

from core.export import space_needed
from core.requests import grammar
from tests import tiny
from tests.replay.probe.committed import ALLOCATION, STUDIES, allocated, compared, points, shown
from tests.replay.probe.committed import study as stored_study
from tests.replay.probe.plain import (
    ASKED,
    HERE,
    ask,
    fingerprint,
    numbers,
    only,
    options,
    point,
)

TEXT = f"file:{HERE / 'text.jsonl'}"
CPU = {"device": "cpu"}
COUNTED = ("achieved", "weights", "planned", "linears", "bytes", "dense_bytes", "difference", "dtype")
OF_SETTING = ("pruner", "pattern", "true_sequential", "target", "allocation")
OF_SEARCH = ("key", "target", "profile", "against_uniform", "against_dense", "over_seeds")


def told(*words):
    """An answer that must not be a refusal."""
    answer = ask(*words)
    if answer is None:
        raise RuntimeError(f"refused: {' '.join(words)}")
    return answer


@cache
def model(scratch, family):
    """A folder with the model."""
    return str(tiny.save_tiny(scratch / family, family))


@cache
def measured(scratch, name):
    """The key of a profile, by what it is called among the requests."""
    asked = dict(ASKED["live"][name])
    words = [word for each in asked.pop("perturb") for word in ("--perturb", each)]
    where = {"model": model(scratch, asked.pop("family")), "text": TEXT}
    return told("measure", *words, *options(where | asked | CPU))["key"]


@cache
def study(scratch):
    """What `study` answers of the study file among the requests."""
    model(scratch, "llama")
    shutil.copy(HERE / "text.jsonl", scratch)
    shutil.copytree(HERE / "tasks", scratch / "tasks")
    text = (HERE / "study.toml").read_text(encoding="utf-8").replace("PROFILE", measured(scratch, "llama"))
    (scratch / "study.toml").write_text(text, encoding="utf-8")
    return told("study", str(scratch / "study.toml"), *options(CPU))


@cache
def best(scratch, name):
    """What `best` answers to a search among the requests."""
    where = {"model": model(scratch, "llama"), "text": TEXT}
    return told("best", *options(where | ASKED["searching"] | ASKED["best"][name] | CPU))


def pruned(scratch, name, **more):
    """What `prune` answers to a setting among the requests."""
    asked = dict(ASKED["prune"][name])
    where = {"model": model(scratch, asked.pop("family")), "calibration": TEXT, "evaluate": TEXT}
    if "profile" in asked:
        asked["profile"] = measured(scratch, asked["profile"])
    return told("prune", *options(where | ASKED["pruning"] | asked | CPU | more))


def measurements(scratch):
    """The profiles, and what is allocated by the first."""
    for name in ASKED["live"]:
        yield from shown(measured(scratch, name), name)
    yield from allocated(measured(scratch, "llama"), "llama/allocation", ALLOCATION["other"])


def prunings(scratch):
    """Single settings, and a study with seeds, controls and a task: keys, planned and counted zeros, what it cost."""
    for name in ASKED["prune"]:
        answer = pruned(scratch, name)
        for field in ("key", "planned", "achieved", "against_uniform", "against_base"):
            yield f"{name}/{field}", answer[field]
        for field in ("evaluation", "dense", "uniform"):
            yield f"{name}/{field}", point(answer[field])
    answer = study(scratch)
    yield "study/key", answer["key"]
    yield from points("study", answer["points"])


def comparisons(scratch):
    """Of every committed study, and of one that was just measured, with tasks."""
    for name, key in {**{key: key for key in STUDIES}, "live": study(scratch)["key"]}.items():
        yield from compared(name, stored_study(key))


def searches(scratch):
    """The answer of every search, all candidates and what was judged."""
    for name in ASKED["best"]:
        answer = best(scratch, name)
        for field in OF_SEARCH:
            yield f"{name}/{field}", answer[field]
        yield f"{name}/answer", _allocation(re.sub(" (by|with) .*", "", answer["answer"]))
        yield f"{name}/dense", answer["dense"]["perplexity"]
        for role in ("winner", "uniform"):
            yield f"{name}/{role}", answer[role] and only(answer[role], ("setting", "perplexity"))
        for index, each in enumerate(answer["candidates"]):
            yield f"{name}/{index}/allocation", _allocation(each["allocation"])
            yield f"{name}/{index}/cost", only(each, ("nll", "predicted", "measured", "against_uniform"))


def _allocation(line):
    """An allocation by its parameters, however it is written."""
    return grammar.read_allocation(line).model_dump(mode="json")


def exports(scratch):
    """A folder for each of some settings, and one for a best setting."""
    for name in ASKED["export"]["settings"]:
        pruned(scratch, name, export=str(scratch / f"export-{name}"))
        yield from _folder(name, scratch / f"export-{name}")
    folder = scratch / "export-best"
    told("export", best(scratch, "target")["key"], "--to", str(folder), "--device", "cpu")
    yield from _folder("best", folder)
    yield "space", {dtype: space_needed(1_000_000, dtype) for dtype in ("float32", "bfloat16")}


def _folder(name, folder):
    """What its recipe says of it, and its weights."""
    told = json.loads((folder / "recipe.json").read_bytes())
    yield f"{name}/sparsity", told["sparsity"]
    yield f"{name}/budget", told["budget"]
    yield f"{name}/setting", only(told["recipe"], OF_SETTING)
    yield f"{name}/counted", only(told["export"], COUNTED)
    yield f"{name}/measured", [numbers(value) for _, value, _ in told["numbers"]]
    for file in sorted(folder.glob("*.safetensors")):
        for tensor, values in sorted(load_file(file).items()):
            yield f"{name}/{tensor}", fingerprint(values.double().numpy())
