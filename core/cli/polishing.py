"""`python -m core polish`: an allocation improved by measured steps, written to a file that `prune` reads."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from rich.table import Table

from core.cli import app, asking
from core.cli.options import command
from core.cli.output import out, say_json
from core.cli.studying import run
from core.models import cost, machine
from core.models.sources import locate, outlined
from core.search.polish_cost import Cost
from core.specs import PolishRequest, naming
from core.specs.errors import UserError
from core.specs.formats import several
from core.specs.paths import expanded, resolved
from core.store.cache import Entry, Store

YEAR = 365 * 24 * 60  # minutes


@command(app, "polish")
def polish(given: SimpleNamespace) -> None:
    """Improve an allocation by measured steps, and write it to a file that `prune --allocation` reads."""
    request, store, file = asking.polish(given), Store(given.cache), expanded(given.write)
    place = resolved(file)
    if file.suffix != ".json" or place.is_dir() or not place.parent.is_dir():
        raise UserError(f"--write {given.write}: name a .json file, new or to be replaced, in a folder that is there")
    if given.minutes is not None:
        request = request.model_copy(update={"tokens": _tokens(request, given.minutes, store, given.device)})
    entry = run(request, store, machine.asked(given.device), {})
    told = entry.provenance
    answer = {name: told[name] for name in ("sentence", "interval", "judged", "budget", "sparsity", "rounds", "tokens")}
    written = {"name": naming.polished(request.setting)} | {name: told[name] for name in ("sparsity", "budget")}
    file.write_text(json.dumps(written) + "\n", encoding="utf-8")
    if given.json:
        say_json({"key": entry.key, **answer, "file": str(file)})
    else:
        _say(entry, file, request.granularity)


def _tokens(request: PolishRequest, minutes: float, store: Store, device: str) -> int:
    """What a device gets done in so many minutes, in tokens of forward passes."""
    if not 0 < minutes <= YEAR:
        raise UserError(f"--minutes {minutes:g}: give more than 0, and at most {YEAR}, a year")
    shape = outlined(locate(request.model, store, request.revision), store)
    return Cost(request, shape).within(60 * minutes * cost.speed(shape, store, device))


def _say(entry: Entry, file: Path, moving: str) -> None:
    told = entry.provenance
    table = Table(title=f"Moves tried on {told['text']}, change of the loss in nats/token")
    for column in ("round", "moved", "largest step", "expected", "measured", "", "tokens so far"):
        table.add_column(column, justify="right")
    for number, each in enumerate(told["rounds"], 1):
        numbers = (f"{each['region']:.3f}", f"{each['expected']:+.4f}", f"{each['change']:+.4f}")
        moved = several(each["pairs"], "pair") if each.get("pairs") else f"all {moving}s"
        table.add_row(str(number), moved, *numbers, "kept" if each["accepted"] else "undone", f"{each['tokens']:,}")
    out.print(table)
    for each in filter(None, (told["sentence"], told["judged"] and told["judged"]["sentence"])):
        out.print(each, markup=False, soft_wrap=True, highlight=False)
    out.print(f"budget {told['budget']:.6f}, written to {file}", markup=False, soft_wrap=True)
    out.print(f"polish {entry.key}")
