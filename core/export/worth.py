"""What a pruned model takes in each form beside what it costs, before any is written."""

from core.ask.requests import ExportRequest
from core.ask.settings import Setting
from core.ask.studies import StudySpec
from core.export.target import counted
from core.kinds import BITS
from core.kinds.quantised import HALF
from core.kinds.treatments import PRUNERS, treatment
from core.models.sources import locate
from core.plan.sizes import DENSE, MASKED, PATTERN, sizes
from core.results import evaluations
from core.store.cache import Store


def worth(asked: ExportRequest, store: Store) -> tuple[dict[str, int], dict[str, float]]:
    """Bytes by form, and the perplexity of those that were measured on the windows of the named study.

    Raises:
        UserError: the model, or the study, is not here.
    """
    own, known = own_form(asked.setting), {}
    if asked.study:
        study = evaluations.load(store, store.by_key(asked.study))
        one = study.single(asked.setting)
        known = few_bits(study.spec, store) | ({own[0]: one.perplexity} if one else {})
    return sizes(counted(locate(asked.model, store, asked.revision, fetch=False), store), *own), known


def few_bits(judged: StudySpec, store: Store) -> dict[str, float]:
    """Perplexities of the dense model and of all its linears in a GGUF type, of any study on the same windows."""
    asked = judged.model, judged.text
    alike = (each.spec for each in store.entries("study") if (each.spec.model, each.spec.text) == asked)
    found = [one for each in alike for one in evaluations.read(store, each, treatment=treatment("gguf")).singles]
    whole = (one for one in found if one.setting is None or one.setting == one.setting.uniform)
    return {own_form(one.setting)[0] if one.setting else DENSE: one.perplexity for one in whole}


def own_form(setting: Setting) -> tuple[str, float, bool]:
    """The form that a setting brings linears to, its bits a weight, and whether it is of GGUF types."""
    target, form = setting.allocation.target, next(iter(PRUNERS[setting.pruner].forms.values()), None)
    bits = HALF * (1 - target)
    if form is None:
        return PATTERN if setting.pattern == PATTERN else MASKED, bits + 1, False
    more = (HALF + bits * (not form.symmetric)) / form.group if setting.allocation.counted is BITS else 0
    return setting.allocation.counted.level(target), bits + more, form.gguf
