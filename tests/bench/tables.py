"""The README's tables of what pruning costs, from the committed studies: `python -m tests.bench.tables` writes them."""

from __future__ import annotations

from core.analysis import protocols, verdicts
from core.analysis.evaluated import EvaluatedSetting
from core.analysis.evaluations import Evaluations, Slice, slice_of
from core.specs import naming
from core.specs.formats import digits, per_cent
from core.store.cache import Store
from tests.bench.marked import table, write

TARGET, OTHERS = 0.7, (0.4, 0.5, 0.6, 0.8)


def tables() -> dict[str, str]:
    """Name of each place in the README -> what stands there."""
    plain, repaired = committed()
    return {
        "pruning at one target": _at_one(plain),
        "pruning over targets": _over_targets(plain),
        "pruning with repair": _repaired(repaired),
        "repair over targets": _repaired_over_targets(repaired),
    }


def committed() -> tuple[Evaluations, Evaluations]:
    """All committed studies of the bundled model, by their two protocols: the one with repaired settings second."""
    store = Store()
    entries = (entry for entry in protocols.of_model(store, store.demo().spec.model) if entry.committed)
    plain, repaired = sorted(protocols.together(store, entries).values(), key=_has_repairs)
    return plain, repaired


def _has_repairs(found: Evaluations) -> bool:
    return any(each.setting.repair for each in found.settings)


def _at_one(found: Evaluations) -> str:
    """Every setting of one target over its calibration seeds, and where the correction lies among its shuffles."""
    settings = [each for each in found.within(_slice(TARGET)) if each.control != "shuffled"]
    rows = [[naming.long(one.setting.allocation), digits(one.perplexity, 3), _change(one)] for one in settings]
    strongest = filter(None, (verdicts.in_view(found, each, None) for each in settings))
    said = {each.name: verdicts.among_shuffles(found, each) for each in strongest}
    lines = [f"{name}: {text[:1].lower()}{text[1:]}" for name, text in said.items() if text]
    return "\n".join([table(["allocation", "perplexity", "against uniform"], rows), *lines, ""])


def _change(one: EvaluatedSetting) -> str:
    return verdicts.quoted(one.against_uniform) if one.uniform else ""


def _repaired(found: Evaluations) -> str:
    """Every setting of one target over its calibration seeds, by pruner and repair, against OWL pruned by Wanda."""
    owl = _owl(found, TARGET)
    settings = [each for part in found.slices if part.target == TARGET for each in found.within(part)]
    rows = [
        [naming.long(one.setting.allocation), slice_of(one.setting).treatment.label, digits(one.perplexity, 3),
         "" if one is owl else verdicts.quoted(one.against(owl))]
        for one in settings
    ]  # fmt: skip
    said = f"The dense model has {digits(found.dense.perplexity, 3)}.\n"
    heads = ["allocation", "pruner", "perplexity", "against OWL by Wanda"]
    return "\n".join([table(heads, rows), said])


def _repaired_over_targets(found: Evaluations) -> str:
    """A row per allocation and pruner, a column per target; each change is against OWL pruned by Wanda there."""
    targets = sorted({part.target for part in found.slices} - {TARGET})
    cells: dict[tuple[str, str], dict[float, str]] = {}
    for part in found.slices:
        for one in found.within(part) if part.target in targets else []:
            change = verdicts.said(one.against(_owl(found, part.target)).quoted)
            said = digits(one.perplexity, 3) + ("" if one is _owl(found, part.target) else f", {change}")
            named = naming.allocation(one.setting.allocation), part.treatment.label
            cells.setdefault(named, {})[part.target] = said
    rows = [[*named, *(of.get(target, "") for target in targets)] for named, of in cells.items()]
    return table(["allocation", "pruner", *map(per_cent, targets)], rows)


def _owl(found: Evaluations, target: float) -> EvaluatedSetting:
    [owl] = (each for each in found.within(_slice(target)) if each.setting.allocation.base.kind == "owl")
    return owl


def _over_targets(found: Evaluations) -> str:
    """A row per method, a column per target, and how many calibration seeds the changes are over."""
    cells = {
        (naming.allocation(each.setting.allocation), target): each
        for target in OTHERS
        for each in found.within(_slice(target))
    }
    names = dict.fromkeys(name for name, _ in cells)
    rows = [[name, *(_cell(cells.get((name, target))) for target in OTHERS)] for name in names]
    seeds = {each.against_uniform.seeds.n for each in cells.values() if each.uniform}
    said = f"Each change is over {' or '.join(verdicts.SOME_SEEDS.get(n, f'{n} calibration seeds') for n in seeds)}."
    return "\n".join([table(["allocation", *map(per_cent, OTHERS)], rows), said, ""])


def _cell(one: EvaluatedSetting | None) -> str:
    if one is None:
        return ""
    change = [verdicts.said(one.against_uniform.quoted)] if one.uniform else []
    return ", ".join([digits(one.perplexity, 3), *change])


def _slice(target: float) -> Slice:
    return Slice("wanda", None, target)


if __name__ == "__main__":
    write(tables())
