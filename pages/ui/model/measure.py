"""The measure part of the Model page: a model, a text and perturbations, what they cost, and the run.

Typed values are checked here; anything only files can tell, by the cost and the run.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from core.base import UserError, capital, unique
from core.jobs.records import Job
from core.methods import PERTURBATION_KINDS
from core.models import hub, machine
from core.requests import PRESETS, MeasureRequest, WindowRequest, command_line, request_of
from core.store import Store
from pages.ui import choices, form, layout, watch

OWN = "own list"
MODELS = {"demo": "SmolLM2-135M-Instruct, dequantised Q4_1"}
in_cache = st.cache_data(ttl=60, show_spinner=False)(lambda kind: hub.cached(kind))
NAMES = unique(each.perturbation.name for each in PRESETS["paper"].measurements)
ABOUT_MODEL = (
    "Choose one, or type a Hub id (organisation/name), a folder with config.json and .safetensors files, or a .gguf "
    "file."
)
AMOUNTS = {"quick": "Quick", "standard": "For allocation", "paper": "All"}
ENABLES = {
    "quick": "tells which layers amplify and which absorb; too little to predict what compression costs",
    "standard": "tells that, and what any budget costs: zeros, bits, GGUF types",
    "paper": "the same with every control on 128 windows of 2048 tokens: for a GPU",
}
ABOUT_TWIN = "The same architecture, never trained: what it shows too was not learned."


def measurement() -> tuple[Callable[[], MeasureRequest], str, Any]:
    """Draw the widgets of a measurement; what reads them, the device that it runs on, and the place of its cost.

    What is wrong is raised as a `UserError` when they are read, so that every widget keeps its value.
    """
    left, right = st.columns(2, gap="large")
    model = form.source("Model", MODELS | form.alike(in_cache("model")), "measure-model", "demo", left, ABOUT_MODEL)
    text = form.source("Text", form.TEXTS | form.alike(in_cache("dataset")), "measure-text", "demo", right)
    preset = choices.sync("measure-preset", [*PRESETS, OWN], "quick")
    options = AMOUNTS if preset in AMOUNTS else AMOUNTS | {preset: preset}
    form.segments("How much to measure", options, "measure-preset", on_change=fill)
    own, place = preset == OWN, st.container()
    with st.expander("More", expanded=own):
        device, untrained, how = _more("quick" if own else preset, own)

    def read():
        for name, typed in {"model": model, "text": text}.items():
            if not typed.removeprefix("random:").strip():
                raise UserError(f"the {name} is empty: choose or type one")
        if own and not how["perturb"]:
            raise UserError("choose at least one perturbation, as in gaussian:0.3")
        machine.device_named(device)
        loaded = f"random:{model}" if untrained else model
        return request_of("measure", model=loaded, text=text, **{name: each or None for name, each in how.items()})

    return read, machine.devices()[0] if device == "auto" else device, place


def _more(preset: str, own: bool) -> tuple[str, bool, dict[str, Any]]:
    """Draw what few change; the device, the choice of random weights, and the other fields of the request."""
    with layout.row("top"):
        devices = machine.devices()
        about = "cpu, cuda, cuda:1 or mps."
        device = form.source("Device", form.alike(devices), "measure-device", devices[0], help=about)
        how = form.fields(MeasureRequest, ["dtype", "revision"], "measure-")
        how |= form.fields(WindowRequest, ["documents"], "measure-")
    with layout.row("top"):
        about = {"label": "Sequences", "help": "Verdicts need 8 or more."}
        how |= form.fields(WindowRequest, ["sequences", "length"], "measure-", PRESETS[preset], sequences=about)
        others = [each for each in (*PRESETS, OWN) if each not in AMOUNTS]
        st.selectbox("Another list", others, None, key="measure-list", on_change=_listed, placeholder="none")
    perturbed = choices.several("measure-perturbations", names_of(preset), drawn=own)
    if own:
        st.multiselect(
            "Perturbations",
            unique([*NAMES, *perturbed]),
            key="measure-perturbations",
            accept_new_options=True,
            placeholder="Pick some, or type as in gaussian:0.25",
            help=f"Written {', '.join(each.example for each in PERTURBATION_KINDS.values())}; @all after a noise "
            "disturbs the first token too.",
        )
        how |= {"perturb": perturbed, "seeds": form.words("Noise seeds", "measure-seeds", "0", help="As in 0,1.")}
    else:
        how["preset"] = preset
    how |= form.fields(MeasureRequest, ["removal", "sketch"], "measure-")
    return device, form.checkbox("Use random weights instead", "measure-untrained", help=ABOUT_TWIN), how


def _listed() -> None:
    """Another list was picked: it is the preset now."""
    if st.session_state["measure-list"]:
        st.session_state["measure-preset"] = st.session_state["measure-list"]
        fill()


def names_of(preset: str) -> list[str]:
    return unique(each.perturbation.name for each in PRESETS[preset].measurements)


def fill() -> None:
    """A preset was picked: its amounts replace what is there; an own list begins with what is there."""
    chosen = st.session_state["measure-preset"]
    if chosen in PRESETS:
        amounts = {"sequences": PRESETS[chosen].sequences, "length": PRESETS[chosen].length}
        amounts["perturbations"] = names_of(chosen)
        st.session_state.update({f"measure-{name}": value for name, value in amounts.items()})


def about(device: str, request: MeasureRequest) -> None:
    """Draw what the measurement tells and costs, and the command that does the same."""
    chosen = PRESETS.get(st.session_state["measure-preset"])
    enables = ENABLES.get(st.session_state["measure-preset"]) or (chosen.about if chosen else "a list of your own")
    listed = dict.fromkeys(each.perturbation.label for each in request.measurements)
    st.markdown(
        f"{capital(enables)}. {watch.expected(request, device)}", help="\n".join(f"- {each}" for each in listed)
    )
    layout.commands([("This command does the same.", command_line(request, device, Store().elsewhere))])


def show(job: Job | None) -> None:
    """Draw the form, folded while a run is in view.

    Args:
        job: in view.
    """
    layout.title("Measure a model")
    st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
    with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
        read, device, place = measurement()
        with place:
            if entry := watch.ask(read, partial(about, device), device, "Run measurement", "run"):
                watch.open_profile(entry.key, "Open it")
