"""The Prune page: evaluate a setting, read results, search for the best one, export the pruned model."""

import streamlit as st

from core.base import UserError
from core.plan import linear_parameters
from pages.ui import best_setting, current_profile, form, layout, studies, url_state, watch
from pages.ui.allocate import settings
from pages.ui.lab import talk
from pages.ui.prune import evaluate, export, pruning, results, search

TABS = {"evaluate": "Evaluate", "results": "Results", "best": "Best setting", "export": "Export"}

profile = current_profile.profile()
current_profile.heading(
    "What does pruning cost?", profile, "budget, correction, control, response, harm, perplexity, nats"
)
try:
    linear_parameters(profile)
    in_view = pruning.allocation_in_view(profile)
except UserError as error:
    best_setting.follow(settings.read(profile, drawn=False), profile)
    layout.error(error)
    st.page_link("allocate.py", label="Change the allocation", icon=":material/tune:")
    url_state.end()
watch.watched()
groups = studies.groups(profile)
part = form.switch("Part", TABS, "part", "evaluate", label_visibility="collapsed")
if part == "best":  # looks for an allocation of its own, so the one in view is not drawn
    search.show(profile)
    url_state.end()
if part != "results":
    layout.go_on()  # without charts and tables nothing has to wait for the live picture
upper = st.container()
how = pruning.draw(profile, in_view)
if how.wrong:
    layout.error(how.wrong)
if part == "results" and groups:
    results.show(studies.choose(groups, how.setting), groups, profile, how.setting, upper)
else:
    with upper:
        if part == "evaluate":
            results.known_cost(how.setting, groups, profile)
            best_setting.card(groups, how.setting.allocation.target, how.setting.pruner, "prune.py")
        pruning.bars(how.setting, profile)
    if part == "results":
        st.info("Nothing has been evaluated for this model yet: open Evaluate, see the cost, and press Run evaluation.")
    elif how.wrong:
        url_state.end()
    elif part == "evaluate":
        evaluate.show(how, profile)
    elif part == "export":
        export.show(how, profile)
if part in ("evaluate", "results") and not how.wrong:
    layout.to_prune("Export this setting", "export")
    if not in_view.budget_unit.levels:
        talk.link(in_view.target)
