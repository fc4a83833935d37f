"""The README's tables of what pruning costs, from the committed studies: `python -m tests.bench.tables` writes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from core.allocation.owl import Owl
from core.analysis import protocols, verdicts
from core.analysis.evaluated import Change, EvaluatedSetting
from core.analysis.evaluations import Evaluations, Slice, slice_of
from core.specs import naming
from core.specs.formats import digits, per_cent
from core.specs.pruners import Treatment
from core.store.cache import Store
from tests.bench.marked import table, write

TARGET, OTHERS = 0.7, (0.4, 0.5, 0.6, 0.8)
REPAIRED = Treatment("wanda", "refit")
OF_A_RESPONSE = ("pruner",)
FEW = "¹"  # marks what is over fewer calibration seeds than the rest of its table
WITHIN = 1.96  # standard errors on each side of a share of 200 examples: 95 %
PROTOCOLS = {  # folder of studies -> the text that judges, as it is called, its windows, and those of calibration
    "plain": ("documents 800-999", 16, 4),
    "repaired": ("documents 800-999", 48, 16),
    "calibrated": ("documents 800-999", 48, 64),
    "selecting": ("documents 600-799", 16, 8),
    "controlled": ("wiki.test.raw", 24, 8),
    "full": ("wiki.test.raw", 148, 16),
    "second_family": ("documents 800-999", 24, 8),
}
Cell = tuple[EvaluatedSetting, Change | None]
Cells = dict[tuple[str, ...], dict[str, Cell]]  # what a row is called -> what its column is called -> what stands there


def tables() -> dict[str, str]:
    """Name of each place in the README -> what stands there."""
    found = committed()
    return {
        name: f"{made(found[folder]).rstrip()}\n\n`make studies OF={folder}` measures it again.\n"
        for name, (folder, made) in _makers().items()
    }


def _makers() -> dict[str, tuple[str, Callable[[Evaluations], str]]]:
    """Name of each place -> the folder of its studies, and what makes a table of them."""
    return {
        "the lowest perplexity": ("repaired", _lowest),
        "pruning at one target": ("plain", _at_one),
        "pruning over targets": ("plain", _over_targets),
        "every method with repair": ("selecting", _selecting),
        "every method by pruner": ("selecting", _selecting_pruners),
        "pruning with repair": ("repaired", _repaired),
        "what repair changes": ("repaired", _of_repair),
        "what an allocation changes": ("repaired", _of_allocation),
        "a budget per linear": ("repaired", _per_linear),
        "more calibration": ("calibrated", _repaired),
        "repair over targets": ("repaired", _repaired_over_targets),
        "the full protocol": ("full", _full),
        "zero-shot": ("repaired", _zero_shot),
        "the correction and its controls": ("controlled", _controlled),
        "a second family": ("second_family", _second_family),
    }


def committed() -> dict[str, Evaluations]:
    """All committed studies, put together by protocol, whichever profile their allocations looked at."""
    store = Store()
    entries = (entry for entry in store.entries("study") if entry.committed)
    found = defaultdict(list)
    for each in protocols.together(store, entries).values():
        found[_protocol(each)].append(each)
    for name, parts in found.items():
        looked = [each.setting for part in parts for each in part.settings if each.uniform]
        assert len(looked) == len(set(looked)), f"{name}: a setting by two profiles would be one row"
    return {name: protocols.merged(parts) for name, parts in found.items()}


def _protocol(found: Evaluations) -> str:
    text, amounts = found.provenance["text"], (found.spec.text.sequences, found.spec.calibration.sequences)
    [name] = [name for name, (words, *asked) in PROTOCOLS.items() if words in text and (*asked,) == amounts]
    return name


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


def _lowest(found: Evaluations) -> str:
    """The best setting of every target beside OWL pruned by Wanda."""
    rows = []
    for target in sorted({*map(_target, found.slices)}):
        owl = _owl(found, target)
        best = min((one for part in found.slices if part.target == target for one in found.within(part)), key=_measured)
        allocation, pruner = _named(best)
        rows.append([
            per_cent(target), digits(owl.perplexity, 3), digits(best.perplexity, 3), allocation, pruner,
            verdicts.quoted(best.against(owl)),
        ])  # fmt: skip
    heads = ["zeros", "OWL by Wanda", "lowest", "by this allocation", "and pruner", "against OWL"]
    return "\n".join([table(heads, rows), f"The dense model has {digits(found.dense.perplexity, 3)}.\n"])


def _measured(one: EvaluatedSetting) -> float:
    return one.perplexity


def _repaired(found: Evaluations, target: float = TARGET) -> str:
    """Every setting of one target over its calibration seeds, by pruner and repair, against OWL pruned by Wanda."""
    owl = _owl(found, target)
    parts = [part for part in found.slices if part.target == target]
    settings = [each for part in parts for each in sorted(found.within(part), key=_is_polished)]
    rows = [
        [*_named(one), digits(one.perplexity, 3),
         "" if one is owl else verdicts.quoted(one.against(owl))]
        for one in settings
    ]  # fmt: skip
    said = f"The dense model has {digits(found.dense.perplexity, 3)}.\n"
    heads = ["allocation", "pruner", "perplexity", f"against {naming.long(owl.setting.allocation)}, by Wanda"]
    return "\n".join([table(heads, rows), said])


def _full(found: Evaluations) -> str:
    return _repaired(found, 0.6)


def _repaired_over_targets(found: Evaluations) -> str:
    """All targets but one; each change is against OWL pruned by Wanda there."""

    def change(one: EvaluatedSetting) -> Change | None:
        owl = _owl(found, one.setting.allocation.target)
        return None if one is owl else one.against(owl)

    return _by_treatment(found, [part for part in found.slices if part.target != TARGET], change)


def _by_treatment(
    found: Evaluations, parts: Sequence[Slice], change: Callable[[EvaluatedSetting], Change | None]
) -> str:
    """A row per allocation and pruner, a column per target."""
    cells: Cells = defaultdict(dict)
    for part in parts:
        for one in found.within(part):
            cells[_method(one), part.treatment.label][per_cent(part.target)] = one, change(one)
    return _columns(["allocation", "pruner"], [per_cent(target) for target in sorted({*map(_target, parts)})], cells)


def _of_repair(found: Evaluations) -> str:
    """Every allocation with a repair against itself without one, by pruner and target."""

    def without(one: EvaluatedSetting, part: Slice) -> EvaluatedSetting | None:
        plain = Slice(part.treatment.pruner, None, part.target)
        return next((each for each in found.within(plain) if each.setting.allocation == one.setting.allocation), None)

    repaired = [part for part in found.slices if part.treatment.repair]
    return _changes(repaired, found, without, lambda one, part: (_method(one), part.treatment.label))


def _of_allocation(found: Evaluations) -> str:
    """Every allocation against uniform by the same pruner and repair; OWL with the parameters chosen on other text."""

    def uniform(one: EvaluatedSetting, _: Slice) -> EvaluatedSetting | None:
        return None if one.setting.allocation.base == Owl() else one.uniform

    return _changes(found.slices, found, uniform, lambda one, part: (_method(one), part.treatment.label))


def _per_linear(found: Evaluations) -> str:
    """The response allocation with a budget per linear against that per layer, by pruner and target."""

    def per_layer(one: EvaluatedSetting, part: Slice) -> EvaluatedSetting | None:
        alike = (each for each in found.within(part) if _method(each) == "Response")
        return next(alike, None) if _method(one) == "Response per linear" else None

    return _changes(found.slices, found, per_layer, lambda _, part: (part.treatment.label,))


def _changes(
    parts: Sequence[Slice],
    found: Evaluations,
    beside: Callable[[EvaluatedSetting, Slice], EvaluatedSetting | None],
    named: Callable[[EvaluatedSetting, Slice], tuple[str, ...]],
) -> str:
    """Changes of perplexity alone: a row per name, a column per target."""
    cells: Cells = defaultdict(dict)
    for part in parts:
        for one in sorted(found.within(part), key=_is_polished):
            if other := beside(one, part):
                cells[named(one, part)][per_cent(part.target)] = one, one.against(other)
    heads = ["allocation", "pruner"][-len(next(iter(cells))) :]
    return _columns(heads, [per_cent(target) for target in sorted({*map(_target, parts)})], cells, perplexities=False)


def _owl(found: Evaluations, target: float) -> EvaluatedSetting:
    """OWL with the parameters that were chosen on other text, where its published ones stand beside it."""
    settings = found.within(_slice(target))
    [owl] = (each for each in settings if isinstance(base := each.setting.allocation.base, Owl) and base != Owl())
    return owl


def _over_targets(found: Evaluations) -> str:
    return _by_target(found, [_slice(target) for target in OTHERS])


def _second_family(found: Evaluations) -> str:
    """Each change is against uniform by the same pruner and repair."""
    said = f"The dense model has {digits(found.dense.perplexity, 3)}.\n"
    return "\n".join([_by_treatment(found, found.slices, lambda one: one.against_uniform), said])


def _selecting(found: Evaluations) -> str:
    return _by_target(found, [part for part in found.slices if part.treatment == REPAIRED])


def _selecting_pruners(found: Evaluations) -> str:
    """All ways of pruning that were tried on every method at one target."""
    parts = [part for part in found.slices if part.target == TARGET]
    return _best_of_methods(found, {part.treatment.label: part for part in parts})


def _by_target(found: Evaluations, parts: Sequence[Slice]) -> str:
    return _best_of_methods(found, {per_cent(part.target): part for part in sorted(parts, key=_target)})


def _best_of_methods(found: Evaluations, parts: Mapping[str, Slice]) -> str:
    """A row per method with what is best of it, a column per part."""
    cells: Cells = {(_method(each),): {} for part in parts.values() for each in found.within(part)}
    for head, part in parts.items():
        for one in sorted(found.within(part), key=lambda each: -each.perplexity):
            cells[_method(one),][head] = one, one.against_uniform
    return _columns(["allocation"], list(parts), cells)


def _columns(named: Sequence[str], heads: Sequence[str], cells: Cells, perplexities: bool = True) -> str:
    """Perplexities, or none, and what they change by, side by side, and over how many seeds the changes are."""
    seeds = sorted({change.seeds.n for row in cells.values() for _, change in row.values() if change})
    words = [verdicts.SOME_SEEDS.get(count, f"{count} calibration seeds") for count in seeds]
    few, said = None, f"Each change is over {words[0]}."
    if len(seeds) > 1:
        [few, _], said = seeds, f"{FEW} This change is over {words[0]}, every other over {words[1]}."
    rows = [[*names, *(_cell(row.get(head), few, perplexities) for head in heads)] for names, row in cells.items()]
    return "\n".join([table([*named, *heads], rows), said, ""])


def _zero_shot(found: Evaluations) -> str:
    """Accuracies, and their mean against uniform by the first pruner, paired over examples; 95 % intervals."""
    settings = [each for each in found.settings if all(map(each.has, found.tasks))]
    uniform = next(each for each in settings if each.setting == each.setting.uniform)
    rows = []
    for one in (found.dense, *settings):
        change = "" if one is uniform else _points(*one.accuracy_against(uniform, found.tasks))
        rows.append([*_named(one), *(_share(*one.accuracy(task)) for task in found.tasks), change])
    return table(["allocation", "pruner", *found.tasks, "mean against uniform by Wanda"], rows)


def _controlled(found: Evaluations) -> str:
    """Every base with its correction and the controls, by pruner, and what they say of each correction."""
    settings = [each for part in found.slices for each in sorted(found.within(part), key=_beside_its_base)]
    rows = [
        [*_named(one), digits(one.perplexity, 3), *map(_said, (one.against_uniform, one.against_base))]
        for one in settings
        if one.control != "shuffled"
    ]
    heads = ["allocation", "pruner", "perplexity", "against uniform", "against its base"]
    said = [f"- {text}" for each in settings for text in verdicts.of_correction(found, each, None)]
    return "\n".join([table(heads, rows), *said, ""])


def _beside_its_base(one: EvaluatedSetting) -> tuple[bool, str, float, str]:
    return bool(one.uniform), one.setting.allocation.base.kind, one.strength, one.control


def _method(one: EvaluatedSetting) -> str:
    """Without the parameters that are chosen anew at every target; what a response is of stays."""
    asked = one.setting.allocation
    return naming.allocation(asked, [word for word in naming.parameters(asked) if word.split()[0] in OF_A_RESPONSE])


def _named(one: EvaluatedSetting) -> tuple[str, str]:
    """Allocation and pruner."""
    if one.setting is None:
        return "Dense", ""
    return naming.long(one.setting.allocation), slice_of(one.setting).treatment.label


def _is_polished(one: EvaluatedSetting) -> bool:
    """Given as numbers."""
    return one.setting.allocation.base.by_hand


def _share(right: float, error: float, _: int) -> str:
    return f"{100 * right:.1f} ± {100 * WITHIN * error:.1f}"


def _points(difference: float, error: float) -> str:
    low, high = difference - WITHIN * error, difference + WITHIN * error
    return f"{100 * difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def _cell(found: Cell | None, few: int | None, perplexity: bool) -> str:
    """Perplexity and what it changes by, marked where it is over fewer seeds than others."""
    if found is None:
        return ""
    one, change = found
    mark = FEW if change and change.seeds.n == few else ""
    return ", ".join(filter(None, [digits(one.perplexity, 3) if perplexity else "", _said(change)])) + mark


def _said(change: Change | None) -> str:
    return verdicts.said(change.quoted) if change else ""


def _target(part: Slice) -> float:
    return part.target


def _slice(target: float) -> Slice:
    return Slice("wanda", None, target)


if __name__ == "__main__":
    write(tables())
