"""What a setting will cost is said before it runs, by others alone; then what it was measured to cost."""

from __future__ import annotations

from core.ask.allocations import AllocationRequest
from core.results import candidates
from core.store.cache import Store
from tests import synthetic
from tests.pages.prune_page import OWL, opened, save

OTHERS = candidates.combined([AllocationRequest(target=each) for each in (0.5, 0.6, 0.7, 0.8)], "wanda", (0,))


def test_a_setting_is_predicted_before_it_runs_and_never_by_itself(store: Store) -> None:
    save(store, OTHERS)
    app = opened(part="evaluate")
    hero, best = app.metric
    assert hero.label == "Predicted perplexity of OWL, 70 % zeros, Wanda" and hero.delta.startswith("unpruned ")
    assert "90 % interval [" in hero.proto.delta_description and "Best known" in best.label
    owl = candidates.combined([OWL], "wanda", (0,))
    save(store, owl, lambda setting: 0.1 if setting == owl[0] else synthetic.invented_cost(setting))
    after = opened(part="evaluate")
    said = next(each for each in after.caption if each.value.startswith("Predicted perplexity"))
    assert said.value.startswith(f"Predicted perplexity {hero.value}, 90 % interval [")
    assert f"; measured {float(after.metric[0].value):.1f}; " in said.value
    assert "4 settings evaluated with Wanda" in said.help == hero.help


def test_what_cannot_be_predicted_is_one_sentence(store: Store) -> None:
    save(store, OTHERS)
    for view in ({"by": "magnitude"}, {"pattern": "2:4"}, {"sequential": "True"}):
        app = opened(part="evaluate", **view)
        [said] = [each.value for each in app.caption if each.value.startswith("Nothing predicts this setting: ")]
        assert said.count(". ") == 0 and ";" not in said and not app.error
