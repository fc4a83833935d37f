"""What a setting will cost is said before it runs, by others alone; then what it was measured to cost."""

from core.requests.allocations import AllocationRequest
from core.results import candidates
from tests import synthetic
from tests.pages.prune_page import OWL, opened, save

OTHERS = candidates.combined([AllocationRequest(target=each) for each in (0.5, 0.6, 0.7, 0.8)], "wanda", (0,))


def said(app, begins):
    [found] = [each for each in app.caption if each.value.startswith(begins)]
    return found


def test_a_setting_is_predicted_before_it_runs_and_never_by_itself(store):
    save(store, OTHERS)
    app = opened(part="evaluate")
    hero, _ = app.metric
    assert hero.label == "Predicted perplexity of OWL, 70 % zeros, Wanda"
    before = said(app, f"Predicted perplexity {hero.value}, 90 % interval [")
    owl = candidates.combined([OWL], "wanda", (0,))
    cost = lambda setting: 0.1 if setting == owl[0] else synthetic.invented_cost(setting)  # noqa: E731
    save(store, owl, cost, allocated=True)
    app = opened(part="evaluate")
    after = said(app, before.value.partition(";")[0])
    assert f"; measured {float(app.metric[0].value):.1f}; unpruned " in after.value
    assert "4 settings evaluated with Wanda" in after.help == before.help


def test_what_cannot_be_predicted_is_one_sentence(store):
    save(store, OTHERS)
    for view in ({"by": "magnitude"}, {"pattern": "2:4"}, {"sequential": "True"}):
        app = opened(part="evaluate", **view)
        why = said(app, "Nothing predicts this setting: ").value
        assert ". " not in why and ";" not in why and not app.error
