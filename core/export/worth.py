"""What a pruned model takes in each form beside what it costs, before any is written."""

from core.ask.requests import ExportRequest
from core.export.target import counted
from core.models.sources import locate
from core.plan.sizes import DENSE, MASKED, PATTERN, sizes
from core.results import evaluations
from core.store.cache import Store


def worth(asked: ExportRequest, store: Store) -> tuple[dict[str, int], dict[str, float]]:
    """Bytes by form, and the perplexity of those that the named study measured.

    Raises:
        UserError: the model, or the study, is not here.
    """
    setting, known = asked.setting, {}
    if asked.study:
        study = evaluations.load(store, store.by_key(asked.study))
        zeros = PATTERN if setting.pattern == PATTERN else MASKED
        found = {DENSE: study.dense, zeros: study.single(setting)}
        known = {name: each.perplexity for name, each in found.items() if each}
    numbers = counted(locate(asked.model, store, asked.revision, fetch=False), store)
    return sizes(numbers, setting.allocation.target, setting.pattern), known
