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
in_cache = st.cache_data(ttl=60, show_spinner=False)(hub.cached)
NAMES = unique(each.perturbation.name for each in PRESETS["paper"].measurements)
ABOUT_MODEL = (
    "Choose one, or type a Hub id (organisation/name), a folder with config.json and .safetensors files, or a .gguf "
    "file."
)
ABOUT_TWIN = "The same architecture, never trained: what it shows too was not learned."


def measurement() -> tuple[Callable[[], MeasureRequest], str]:
    """Draw the widgets of a measurement; what reads them, and the device that it runs on.

    What is wrong is raised as a `UserError` when they are read, so that every widget keeps its value.
    """
    left, right = st.columns(2, gap="large")
    with left:
        model, how, device = model_and_device()
    with right:
        text = form.source("Text", form.TEXTS | form.alike(in_cache("dataset")), "measure-text", "demo")
        how |= form.fields(WindowRequest, ["documents"], "measure-")
        how |= form.fields(MeasureRequest, ["removal", "sketch"], "measure-")
    how |= perturbations()

    def read():
        for name, typed in {"model": model, "text": text}.items():
            if not typed.removeprefix("random:").strip():
                raise UserError(f"the {name} is empty: choose or type one")
        if "preset" not in how and not how["perturb"]:
            raise UserError("choose at least one perturbation, as in gaussian:0.3")
        machine.device_named(device)
        return request_of("measure", model=model, text=text, **{name: each or None for name, each in how.items()})

    return read, machine.devices()[0] if device == "auto" else device


def model_and_device() -> tuple[str, dict[str, Any], str]:
    """Draw the model, how it is loaded, and the device."""
    model = form.source("Model", MODELS | form.alike(in_cache("model")), "measure-model", "demo", help=ABOUT_MODEL)
    with layout.row("top"):
        devices = machine.devices()
        about = "cpu, cuda, cuda:1 or mps."
        device = form.source("Device", form.alike(devices), "measure-device", devices[0], help=about)
        how = form.fields(MeasureRequest, ["dtype", "revision"], "measure-")
    untrained = form.checkbox("Use random weights instead", "measure-untrained", help=ABOUT_TWIN)
    return f"random:{model}" if untrained else model, how, device


def perturbations() -> dict[str, Any]:
    """Draw what is done to each layer, and to how much text."""
    presets = form.alike([*PRESETS, OWN])
    preset = form.switch("What is done to each layer", presets, "measure-preset", "quick", on_change=fill)
    own = preset == OWN
    filled = "quick" if own else preset
    chosen, perturbed = PRESETS[filled], choices.several("measure-perturbations", names_of(filled), drawn=own)
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
    else:
        listed = dict.fromkeys(each.perturbation.label for each in chosen.measurements)
        st.caption(f"{capital(chosen.about)}.", help="\n".join(f"- {label}" for label in listed))
    with layout.row("top"):
        about = {"label": "Sequences", "help": "Verdicts need 8 or more."}
        how = form.fields(WindowRequest, ["sequences", "length"], "measure-", chosen, sequences=about)
        seeds = form.words("Noise seeds", "measure-seeds", "0", help="Whole numbers, as in 0,1.") if own else None
    return how | ({"perturb": perturbed, "seeds": seeds} if own else {"preset": preset})


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
    """Draw the cost of the measurement, and the command that does the same."""
    st.markdown(watch.expected(request, device))
    layout.command(command_line(request, device, Store().elsewhere))


def show(job: Job | None) -> None:
    """Draw the form, folded while a run is in view.

    Args:
        job: in view.
    """
    layout.title("Measure a model")
    st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
    with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
        read, device = measurement()
        if entry := watch.ask(read, partial(about, device), device, "Run measurement", "run"):
            watch.open_profile(entry.key, "See what it absorbs")
