"""What a pruned model takes in each form beside what it costs, before any is written."""

from core.ask.requests import ExportRequest
from core.ask.settings import Setting
from core.export.target import counted
from core.kinds.quantised import HALF
from core.kinds.treatments import PRUNERS
from core.models.sources import locate
from core.plan.sizes import DENSE, MASKED, PATTERN, sizes
from core.results import evaluations
from core.store.cache import Store


def worth(asked: ExportRequest, store: Store) -> tuple[dict[str, int], dict[str, float]]:
    """Bytes by form, and the perplexity of those that the named study measured.

    Raises:
        UserError: the model, or the study, is not here.
    """
    own, known = own_form(asked.setting), {}
    if asked.study:
        study = evaluations.load(store, store.by_key(asked.study))
        whole = [each for each in study.singles if each.setting and each.setting == each.setting.uniform]
        found = {own_form(each.setting)[0]: each for each in whole if PRUNERS[each.setting.pruner].forms}
        found |= {DENSE: study.dense, own[0]: study.single(asked.setting)}
        known = {name: each.perplexity for name, each in found.items() if each}
    return sizes(counted(locate(asked.model, store, asked.revision, fetch=False), store), *own), known


def own_form(setting: Setting) -> tuple[str, float, bool]:
    """The form that a setting brings linears to, its bits a weight, and whether it is of GGUF types."""
    target, form = setting.allocation.target, next(iter(PRUNERS[setting.pruner].forms.values()), None)
    bits = HALF * (1 - target)
    if form is None:
        return PATTERN if setting.pattern == PATTERN else MASKED, bits + 1, False
    more = 0 if form.gguf else (HALF + bits) / form.group
    return setting.allocation.counted.level(target), bits + more, form.gguf
