"""The compare part of the Model page: gains of two profiles, and another checkpoint beside the model."""

from functools import partial

import streamlit as st

from core.base import UserError, checked, profile_names, text_name
from core.methods import Checkpoint
from core.models import machine
from core.requests import MeasureRequest, absolute, line
from core.requests.measurements import measurements
from core.results import compared, fixed_plan
from core.show import words
from core.show.figures import gain
from core.show.figures.charts import COMPARED, GROUPS, InView
from core.show.report import remake
from core.store import Profile, Store, pretty
from pages.ui import current_profile, form, layout, watch
from pages.ui.model import absorption

UNKNOWN = "This profile does not say where its model lies: measure the model here to compare a checkpoint with it."
FIXED = "The formats of this checkpoint with more bits in its worst tensors; the line exports the model with them."
CHECKPOINT = {
    "placeholder": "a folder, a .gguf file or a Hub id",
    "help": "A pruned or quantised export or a fine-tune: the same architecture and the same vocabulary.",
    "width": 420,
}


def show() -> None:
    """Draw checkpoints beside the model in view, then, of a profile without any, two profiles beside each other."""
    profile = current_profile.profile()
    current_profile.heading("Where did it go wrong?", profile)
    seen = stored(profile)
    name = next(iter(seen.others), next(iter(seen.by_name)))
    first = bool(seen.others) and not seen.spec.tensors  # of before shares were measured
    rows = GROUPS[COMPARED][first : None if profile.others else first + 1]
    absorption.pairs(rows, InView(seen, name, current_profile.layer(profile)), f"{seen.key[:6]}-{name}")
    if seen.spec.tensors:
        offer_fix(seen)
    ask(profile)
    if not profile.others:
        layout.header("How do two models differ?")
        _two(profile)


def offer_fix(profile: Profile) -> None:
    """Draw the plan that gives the worst tensors more bits, to save, and the line that exports it; else why not."""
    try:
        plan, form = fixed_plan(compared(profile))
    except UserError as lacking:
        st.caption(str(lacking))
        return
    st.download_button("Save fixed plan", pretty(plan), "fixed.json", key="fixed-plan", on_click="ignore")
    model = profile.provenance.get("model_source") or "MODEL"
    command = line("prune", model=model, allocation="fixed.json", format=form, export="./fixed")
    layout.commands([(FIXED, command)])


def _two(profile: Profile) -> None:
    """Draw the gains of the profile in view beside those of another, at first of another trained model."""
    preferred, own = current_profile.PREFERRED_PERTURBATION, profile.spec.model.content
    entries = (entry for entry in Store().entries("profile") if not entry.spec.others)
    models = {entry.key: entry.spec.model for entry in entries if preferred in entry.spec.names}
    names = {key: name for key, name in current_profile.others().items() if key in models}
    if preferred not in profile.by_name or not names:
        layout.note(f"Measure {preferred} of two models to compare them.")
        return
    trained = (key for key in names if models[key].initialised is None and models[key].content != own)
    key = form.choice("Compare with", names, "compare", next(trained, next(iter(names))), width=480)
    with layout.shortages():
        twin = current_profile.load(key)
        chart = gain.of_profiles(profile, twin, preferred, current_profile.layer(profile))
        layout.show(chart, profile.key[:6], "two")


# --- another checkpoint beside the model ----------------------------------------------------------------------------


def ask(profile: Profile) -> None:
    """Draw the field for another checkpoint and the button that compares it with the model in view."""
    if not profile.provenance.get("model_source"):
        st.caption(UNKNOWN)
        return
    typed = form.words("Another checkpoint to compare", "other", **CHECKPOINT).strip()
    label, key, device = "Run comparison", "compare-run", machine.devices()[0]
    if not typed:
        st.button(label, key=key, disabled=True)
    elif entry := watch.ask(partial(request, profile, typed), partial(_about, profile, device), device, label, key):
        layout.link("compare", "Open the comparison", {"profile": entry.key})


def request(profile: Profile, typed: str) -> MeasureRequest:
    """The request that takes each layer of the profile's model from another checkpoint, on the profile's text.

    Where that text is not on this machine, the bundled one takes its place.

    Raises:
        UserError: the provenance of the profile makes no request.
    """
    taken = measurements([checked(Checkpoint, source=absolute(typed))])
    return current_profile.request_again(profile).replace(measurements=taken, sketch=False)


def _about(profile: Profile, device: str, request: MeasureRequest) -> None:
    """Draw which text both models read, the reason if it is not the profile's, and the cost."""
    text, named = request.text, remake.request_of_profile(profile.entry).text.source
    why = "" if absolute(named) == text.source else f", because {text_name(named)} is not on this machine"
    reads = f"Both models read {text_name(text.source)}, {text.sequences} × {text.length} tokens{why}."
    layout.caption(f"{reads} {watch.expected(request, device)}")


def stored(profile: Profile) -> Profile:
    """The stored comparison picked, drawn as a choice; the profile itself where it is one or has none."""
    comparisons = [entry for entry in Store().of_model(profile.spec.model) if entry.spec.others]
    if profile.others or not comparisons:
        return profile
    comparisons.sort(key=lambda entry: not entry.spec.tensors)  # those that name the worst tensors come first
    named = {entry.key: profile_names.comparison(words.described(entry)) for entry in comparisons}
    return current_profile.load(form.choice("Stored comparison", named, "checkpoint", comparisons[0].key, width=480))
