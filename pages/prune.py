"""What does pruning cost? Choose a setting, see its cost, export the pruned model."""

import streamlit as st

from core.base.errors import UserError
from core.plan.spread import layer_parameters
from core.results import protocols
from core.store.cache import Store
from pages.ui import frame, subject, view, watch
from pages.ui.lab import continuing
from pages.ui.prune import asking, evaluating, exporting, inview, results, searching, steps, stored

store = Store()
TERMS = ("budget", "correction", "control", "response", "harm", "perplexity", "nats", "rank correlation")


def bars() -> None:
    """The allocation in view; a page that is still opening ends with it."""
    numbers = inview.show(in_view)
    if frame.is_first_paint():
        view.end()
    frame.numbers(numbers, "sparsity of each layer", frame.file(profile.entry.key[:6], "allocation-in-view"), "in-view")


profile = subject.profile()
subject.heading("What does pruning cost?", profile, TERMS)
try:
    layer_parameters(profile)
    in_view = inview.read(profile)
except UserError as error:
    frame.error(error)
    st.page_link("allocate.py", label="Change the allocation", icon=":material/tune:")
    view.end()
job = watch.watched()
if job:
    watch.panel(job)
groups = stored.groups(profile)
part = steps.choose("results" if groups else "choose")
if part == "best":  # looks for an allocation of its own, so the one in view is not drawn
    searching.show(profile, watch.begin)
    view.end()
upper, lower = st.container(), st.container()
with lower:
    how = asking.pruning(profile, in_view.request, opened=part == "choose")
if how.wrong:
    frame.error(how.wrong)
shown = groups and part in ("results", "export")
group = stored.choose(groups, how.setting, drawn=part == "results") if shown else None
if part == "results" and group:
    results.show(group, groups, profile, how.setting, upper, lower, bars)
else:
    with upper:
        bars()
    if part == "results":
        st.info("Nothing has been evaluated for this model yet: open Evaluate, see the cost, and press Run evaluation.")
    elif part == "evaluate":
        evaluating.show(how, profile, watch.begin)
    elif part == "writing" and not how.wrong:
        continuing.under(how.setting, how.prompt)
    elif part == "export" and not how.wrong:
        holding = (protocols.holding(each, how.setting) for each in (group, *groups.values()) if each)
        exporting.show(how, profile, next(filter(None, holding), None), watch.begin)
steps.onward(part)
