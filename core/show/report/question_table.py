"""The table of questions to the committed studies: which settings each is about, and what they are compared with."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from core.methods import BITS, INTEGERS, MIXED, ZEROS, BlockInfluence, BudgetUnit, treatment
from core.results import UNIFORM, Control, Result, Slice, Study, slice_of

PROTOCOLS = {  # folder of studies -> their protocol
    "plain": "16 unseen passages of C4, 512 tokens each, calibrated on 4 × 512",
    "repaired": "48 unseen passages of C4, 512 tokens each",
    "calibrated": "48 unseen passages of C4, 512 tokens each, calibrated on 64 × 512",
    "recovered": "48 unseen passages of C4, 512 tokens each, calibrated on 480 × 512",
    "own_text": "48 unseen passages of C4, 512 tokens each, calibrated on 128 × 512",
    "second_family_recovered": "24 unseen passages of C4, 256 tokens each, calibrated on 480 × 512",
    "selecting": "16 passages of C4 selection, 512 tokens each, calibrated on 8 × 512",
    "controlled": "24 passages of WikiText-2, 512 tokens each, calibrated on 8 × 512",
    "full": "148 passages of WikiText-2, 2048 tokens each",
    "second_family": "24 unseen passages of C4, 256 tokens each, calibrated on 8 × 512",
    "bits": "16 unseen passages of C4, 512 tokens each, calibrated on 8 × 512",
    "layers": "16 unseen passages of C4, 512 tokens each",
    "second_family_bits": "32 unseen passages of C4, 256 tokens each, calibrated on 8 × 512",
}


def amount(one: Result, budget_unit: BudgetUnit) -> float:
    """The share of zeros or of layers left out, or the bits that a weight takes in a file, to a tenth."""
    return round(one.setting.treatment.stored(one.target), 1) if budget_unit.bits else one.target


class Question(NamedTuple):
    """A question to the studies of one folder."""

    title: str
    folder: str
    settings: Callable[[Study], Iterable[Result]]
    against: str = "uniform"  # what the changes are against
    control: Callable[[Study], Control] = lambda _: UNIFORM["uniform"]
    paired: bool = False  # only settings that have something to be compared with
    corrections: bool = False  # whether the changes against what was corrected, and all shuffles, are spoken of
    uniform: bool = False  # whether changes against uniform stand beside
    divergence: bool = False  # whether changes of the KL divergence stand beside those of perplexity
    note: str = ""  # what the numbers cannot show

    @property
    def command(self) -> str:
        """Measures the studies again."""
        return f"make studies OF={self.folder}"


# --- which settings ------------------------------------------------------------------------------------------------


def _all(study: Study) -> list[Result]:
    """Every setting by pruner, then target; shuffles stand in the sentences only."""
    return [one for part in study.slices for one in study.within(part) if one.control != "shuffled"]


def _lowest(study: Study) -> list[Result]:
    """OWL by Wanda and the lowest of every target."""
    targets = sorted({part.target for part in study.slices})
    lowest = [best(one for one in study.settings if one.target == target) for target in targets]
    return [each for one in lowest for each in (owl(study, one.target), one)]


def _best_of_methods(study: Study) -> list[Result]:
    """The best setting of every method, by pruner and target."""
    kinds = defaultdict(list)
    for one in _all(study):
        kinds[slice_of(one.setting), one.setting.allocation.base.title].append(one)
    return list(map(best, kinds.values()))


def _answering(study: Study) -> list[Result]:
    """Settings that every zero-shot task was asked of."""
    return [one for one in (study.dense, *_all(study)) if all(map(one.has, study.tasks))]


def best(settings: Iterable[Result]) -> Result:
    """The one of the lowest perplexity."""
    return min(settings, key=lambda one: one.perplexity)


# --- what they are compared with -----------------------------------------------------------------------------------


def owl(study: Study, target: float) -> Result:
    """OWL by Wanda with the parameters that were chosen on other text, where its published ones stand beside it."""
    bases = {one: one.setting.allocation.base for one in study.within(Slice(treatment("wanda"), None, target))}
    [one] = (one for one, base in bases.items() if base.kind == "owl" and base != type(base)())
    return one


def _untrained(study: Study) -> Control:
    """The same without training, by a pruner that reads the fewest windows."""
    few = {"pruner_windows": min(one.setting.pruner_windows for one in study.settings)}
    return lambda one: study.of((one.setting.untrained or one.setting).replace(**few)) if one.setting else None


def _granularity(one: Result) -> str | None:
    base = one.setting.allocation.base
    return base.granularity if base.kind == "response" else None


def _per_layer(study: Study) -> Control:
    """The response allocation with a budget per layer, of any objective; None for all others."""

    per_layer = {
        slice_of(one.setting): one
        for one in reversed(study.settings)
        if _granularity(one) == "layer" and not one.strength
    }
    return lambda one: per_layer.get(slice_of(one.setting)) if _granularity(one) in ("linear", "both") else None


def _uniform_bits(study: Study) -> Control:
    """Uniform of the same bytes by the same pruner; of what has zeros uniform integers."""
    uniform = [one for one in study.settings if one.setting == one.setting.uniform]
    integers = {amount(one, BITS): one for one in uniform if one.setting.treatment.budget_unit is INTEGERS}

    def control(one):
        zeros = one.setting and one.setting.treatment.budget_unit in (MIXED, ZEROS)
        return integers.get(amount(one, BITS)) if zeros else one.uniform

    return control


def _uniform_by_wanda(study: Study) -> Control:
    uniform = next(one for one in _answering(study) if one.setting and one.setting == one.setting.uniform)
    return lambda one: uniform if one.setting else None


def _influence(study: Study) -> Control:
    """Control: as many layers left out by block influence; None for that itself."""
    alike = {one.target: one for one in study.settings if one.setting.allocation.base == BlockInfluence()}
    return lambda one: alike[one.target] if one.setting and one not in alike.values() else None


OWL: dict[str, Any] = {
    "against": "OWL by Wanda",
    "control": lambda study: lambda one: owl(study, one.target) if one.setting else None,
}
FOUR_BITS = (
    "Integers take the bytes of 3 or 2 bits in groups of 32, or of 2 in groups of 64; response gives linears 2 bits or "
    "more in groups of 32 or 64. Only fewer than 4 bits are compared: the model was itself dequantised from 4 bits, so "
    "what it loses at 4 to 8 bits proves nothing."
)
ZEROS_TOO = (
    " What the shuffle gains is due to groups of 64, not to where they lie. Zeros: Wanda takes 43 to 80 % of a linear, "
    "the rest gets 3 or 4 bits, or all of them are zeros or float16; a bit for each weight says which stays. Response "
    "per matrix or layer leaves out 3 of 30 layers at 2.6 bits and 5 at 2.3, by the harm of leaving out each alone."
)
TRAINED = (
    "Distill trains end to end towards the dense model's predictions, blockwise each attention and MLP towards what "
    "the dense one gives: half an hour to an hour and a half of one core each. Both may stop early, judged on windows "
    "that neither pruner nor training reads. Uniform treats all layers alike, by the same pruner, repair and training."
)
OWN_TEXT = (
    "Own text is what the dense model writes after the first tokens of each calibration window. Training takes as many "
    "tokens either way, and is judged on windows of the calibration text that neither pruner nor training reads."
)
NO_TRAINING = " Without training, ALPS takes 45 min of a core on 256 calibration windows, and 13 to 20 min on 64."
LEFT_OUT = (
    "Response leaves out the layers whose leaving out alone was measured to harm least, on the text that block "
    "influence was read on; uniform leaves out layers evenly spaced."
)
FEW_BITS: dict[str, Any] = {
    "settings": lambda study: study.settings,
    "against": "uniform bits",
    "control": _uniform_bits,
    "divergence": True,
}
TRAINING: dict[str, Any] = {
    "settings": lambda study: sorted(_all(study), key=lambda one: one.target),
    "against": "the same without training",
    "control": _untrained,
    "uniform": True,
    "divergence": True,
}
QUESTIONS = {
    "the lowest perplexity": Question("Which setting has the lowest perplexity?", "repaired", _lowest, **OWL),
    "allocation": Question("What does the allocation alone change?", "plain", _all, corrections=True),
    "methods": Question("Which method is best with other pruners and repair?", "selecting", _best_of_methods),
    "pruner and repair": Question("What do better masks and repair change?", "repaired", _all, **OWL),
    "repair": Question(
        "What does repair alone change?", "repaired", _all, "the same without repair",
        lambda it: lambda one: it.of(one.setting.replace(repair=None)) if one.setting.repair else None, paired=True,
    ),
    "allocation and repair": Question("Does the allocation still matter once weights are repaired?", "repaired", _all),
    "per linear": Question(
        "What does a budget per matrix change?", "repaired", _all, "a budget per layer", _per_layer, paired=True
    ),
    "calibration": Question("Does more calibration text change the order?", "calibrated", _all, **OWL),
    "training": Question(
        "What does training the kept weights win back?", "recovered", note=TRAINED + NO_TRAINING, **TRAINING
    ),
    "own text": Question(
        "Does training on own text win back more?", "own_text", _all, "the same on calibration text",
        lambda it: lambda one: it.of(one.setting.replace(recover_text="calibration")), divergence=True, note=OWN_TEXT,
    ),
    "full protocol": Question("Does it hold on all of WikiText-2?", "full", _all, **OWL),
    "zero-shot": Question("Do zero-shot tasks agree?", "repaired", _answering, "uniform by Wanda", _uniform_by_wanda),
    "correction": Question("Does the correction help?", "controlled", _all, corrections=True),
    "second family": Question("Does it hold for a second family?", "second_family", _all),
    "second family's training": Question(
        "What does training win back in a second family?", "second_family_recovered", note=TRAINED, **TRAINING
    ),
    "bits": Question("Should what suffers most keep more bits?", "bits", note=FOUR_BITS + ZEROS_TOO, **FEW_BITS),
    "second family's bits": Question("Should it in a second family?", "second_family_bits", note=FOUR_BITS, **FEW_BITS),
    "layers": Question(
        "Which layers can be left out?", "layers", lambda it: it.settings, "block influence", _influence,
        divergence=True, note=LEFT_OUT,
    ),
}  # fmt: skip
