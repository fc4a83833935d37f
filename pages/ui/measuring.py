"""Widgets -> a request. What is typed is checked here; what only the files can tell is left to the cost and the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.ask.commands import request_of
from core.ask.inputs import WindowRequest
from core.ask.measurements import MeasureRequest
from core.ask.perturbations import PRESETS, STANDARD
from core.base.errors import UserError
from core.base.formats import capital
from core.kinds import FORMS
from core.models import hub, machine
from core.show import words
from pages.ui import form, view

OWN = "own list"
MODELS = {"demo": "SmolLM2-135M-Instruct, dequantised Q4_1"}
_in_cache = st.cache_data(ttl=60, show_spinner=False)(hub.cached)
DEVICE = r"cpu|mps|cuda(:\d+)?"
AUTOMATIC = "as suits the text"
STARTS = {"protocol": "as the tokenizer does", "every": "before every window"}
NAMES = list(dict.fromkeys(each.perturbation.name for each in STANDARD))
ABOUT_MODEL = (
    "Choose one, or type a Hub id (organisation/name), a folder with config.json and .safetensors files, or a .gguf "
    "file."
)
ABOUT_ALL = "@all after a noise disturbs the first token too."
ABOUT_TWIN = "The same architecture, never trained: what it shows too was not learned."
ABOUT_HOOKS = "hooks runs one full forward pass per layer: slower, for checking."


@dataclass(frozen=True)
class Choice:
    """What was chosen: the request, and where and how to run it, which does not change the numbers."""

    request: MeasureRequest
    device: str
    engine: str


def measurement() -> Choice:
    """Draw the widgets of a measurement.

    Raises:
        UserError: something chosen cannot be, said in one sentence; every widget keeps its value.
    """
    left, right = st.columns(2, gap="large")
    with left:
        asked, device = _model()
    with right:
        known = form.TEXTS | _alike(_in_cache("dataset"))
        asked["text"] = form.source("Text", known, _key("text"), "demo")
        about = "First and last, from 0, as in 0-599."
        asked["documents"] = form.words("Documents", _key("documents"), placeholder="all of them", help=about)
    asked |= _perturbations()
    with st.expander("More settings"):
        more, engine = _more()
    if asked["preset"] == OWN and not asked["perturb"]:
        raise UserError("choose at least one perturbation, as in gaussian:0.3")
    for name, typed in {"model": asked["model"], "text": asked["text"], "device": device}.items():
        if not (typed or "").strip():
            raise UserError(f"the {name} is empty: choose or type one")
    if not re.fullmatch(DEVICE, device.strip()):
        raise UserError(f"there is no device {device.strip()!r}: give cpu, cuda, cuda:1 or mps")
    untrained = "random:" if asked.pop("untrained") else ""
    typed = {"model": untrained + asked["model"].strip(), "text": asked["text"].strip()}
    typed["preset"] = "quick" if asked["preset"] == OWN else asked["preset"]
    typed["documents"] = asked["documents"].strip() or None
    return Choice(request_of("measure", **asked | more | typed), device.strip(), engine)


def _model() -> tuple[dict[str, Any], str]:
    """Draw the model; what was chosen of it, and the device."""
    model = form.source("Model", MODELS | _alike(_in_cache("model")), _key("model"), "demo", help=ABOUT_MODEL)
    with st.container(horizontal=True):
        known = _alike(machine.devices())
        device = form.source("Device", known, _key("device"), next(iter(known)), help="cpu, cuda, cuda:1 or mps.")
        dtype = form.choice("Precision", _alike(["float32", "bfloat16", "float16"]), _key("dtype"), "float32")
    untrained = form.checkbox("Use random weights instead", _key("untrained"), help=ABOUT_TWIN)
    return {"model": model, "dtype": dtype, "untrained": untrained}, device


def _perturbations() -> dict[str, Any]:
    """Draw what is done to each layer, and to how much text."""
    before = st.session_state.get(_key("preset"))
    preset = view.sync(_key("preset"), [*PRESETS, OWN], "quick")
    if before not in (None, preset):  # picked by a link or the back button
        _fill()
    own, label = preset == OWN, "What is done to each layer"
    usual = _amounts("quick" if own else preset)
    st.segmented_control(label, [*PRESETS, OWN], key=_key("preset"), required=True, on_change=_fill)
    perturbed = view.several(_key("perturbations"), usual["perturbations"], drawn=own)
    if own:
        st.multiselect(
            "Perturbations",
            list(dict.fromkeys([*NAMES, *perturbed])),
            key=_key("perturbations"),
            accept_new_options=True,
            placeholder="Pick some, or type as in gaussian:0.25",
            help=f"Written {', '.join(each.example for each in FORMS.values())}; {ABOUT_ALL}",
        )
    else:
        known = PRESETS[preset]
        listed = dict.fromkeys(each.perturbation.label for each in known.measurements)
        st.caption(f"{capital(known.about)}.", help="\n".join(f"- {label}" for label in listed))
    with st.container(horizontal=True):
        how = {"label": "Sequences", "help": "Verdicts need 8 or more."}
        sequences = form.number(WindowRequest, "sequences", _key("sequences"), usual["sequences"], **how)
        length = form.number(WindowRequest, "length", _key("length"), usual["length"])
        seeds, positions = _noise() if own else (None, None)
    asked = {"preset": preset, "perturb": perturbed if own else []}
    return asked | {"sequences": sequences, "length": length, "seeds": seeds, "positions": positions}


def _noise() -> tuple[str, str]:
    """What is said of noise in an own list, its seeds and its positions; a preset says it itself."""
    seeds = form.words("Noise seeds", _key("seeds"), "0", help="Whole numbers, as in 0,1.")
    about = "For perturbations that do not say it themselves."
    key, label = _key("positions"), "Tokens disturbed by noise"
    return seeds, form.choice(label, words.POSITIONS, key, "after_first", help=about)


def _more() -> tuple[dict[str, Any], str]:
    """Draw what is seldom changed; what was chosen of it, and the engine."""
    first, second, third = st.columns(3)
    about = "Branch, tag or commit on the Hub."
    revision = form.words("Revision", _key("revision"), "", first, placeholder="newest", help=about)
    seed = form.number(WindowRequest, "seed", _key("seed"), 0, second, label="Seed of the windows")
    engines = _alike(["wavefront", "hooks"])
    engine = form.choice("Engine", engines, _key("engine"), "wavefront", third, help=ABOUT_HOOKS)
    packing = form.choice("Packing", _alike([AUTOMATIC, "joined", "document"]), _key("packing"), AUTOMATIC, first)
    bos = form.choice("Start token", STARTS, _key("bos"), "protocol", second)
    about = "What the allocation LSA looks at."
    removal = form.checkbox("Errors of removed weights", _key("removal"), third, help=about)
    packed = None if packing == AUTOMATIC else packing
    return {
        "revision": revision.strip() or None, "seed": seed, "packing": packed, "bos": bos, "removal": removal
    }, engine  # fmt: skip


def _key(name: str) -> str:
    return f"measure-{name}"


def _alike(options: Any) -> dict[str, str]:
    """Options that are called what they are."""
    return {each: each for each in options}


def _amounts(name: str) -> dict[str, Any]:
    """What a preset fills in."""
    preset = PRESETS[name]
    names = list(dict.fromkeys(each.perturbation.name for each in preset.measurements))
    return {"sequences": preset.sequences, "length": preset.length, "perturbations": names}


def _fill() -> None:
    """A preset was picked: its amounts replace what is there; an own list begins with what is there."""
    chosen = st.session_state[_key("preset")]
    if chosen in PRESETS:
        for key, value in _amounts(chosen).items():
            st.session_state[_key(key)] = value
