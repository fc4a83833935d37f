"""What the tests of the runs page share: the page opened, and studies of one model."""

from core.methods.owl import Owl
from core.requests.allocations import AllocationRequest
from core.requests.recipes import Recipe
from core.results.study_columns import rows_of
from core.results.study_results import load as load_study
from tests import synthetic
from tests.pages.opening import opened_at, shell, words

LAYERS = 6
OWL = Recipe(allocation=AllocationRequest(base=Owl()))
RESEEDED = OWL.model_copy(update={"calibration_seed": 1})


def opened():
    return opened_at("runs")


def part(name, **state):
    """A part of the page, in a tab that holds what was chosen before."""
    app = shell()
    for key, value in state.items():
        app.session_state[key] = value
    app.query_params["show"] = name
    return app.run().switch_page("runs.py").run()


def study(store, asked=(OWL, RESEEDED), seed=0, **how):
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick", seed), asked, LAYERS, **how)
    return synthetic.save_study(store.root, spec, LAYERS)


def row(store, key, index=-1):
    entry = store.by_key(key)
    return rows_of(load_study(store, entry))[index]


def said(app):
    return words(app.markdown).replace("\\", "")
