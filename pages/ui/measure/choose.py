"""Widgets -> a request. What is typed is checked here; what only the files can tell is left to the cost and the run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.ask import presets
from core.ask.measurements import MeasureRequest
from core.ask.typed import build
from core.base.errors import UserError
from core.base.formats import capital
from core.kinds import FORMS
from core.models import hub, machine
from core.show.figures import labels
from pages.ui import view
from pages.ui.measure import several

OWN = "own list"
MODELS = {"demo": "SmolLM2-135M-Instruct, dequantised Q4_1"}
TEXTS = {
    "demo": "Demo text, written for this project",
    "allenai/c4": "allenai/c4, from the Hub",
    "Salesforce/wikitext": "Salesforce/wikitext, from the Hub",
}
_in_cache = st.cache_data(ttl=60, show_spinner=False)(hub.cached)
DEVICE = r"cpu|mps|cuda(:\d+)?"
AUTOMATIC = "as suits the text"
PACKINGS = [AUTOMATIC, "joined", "document"]
STARTS = {"protocol": "as the tokenizer does", "every": "before every window"}
NAMES = list(dict.fromkeys(each.perturbation.name for each in presets.STANDARD))


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
    chosen = _chosen()
    left, right = st.columns(2, gap="large")
    with left:
        _model()
    with right:
        _text()
    _perturbations()
    with st.expander("More settings"):
        _more()
    return _checked(chosen)


def _model() -> None:
    st.selectbox(
        "Model",
        _with_typed([*MODELS, *_in_cache("model")], "model"),
        key=_key("model"),
        format_func=lambda typed: MODELS.get(typed, typed),
        accept_new_options=True,
        help="Choose one, or type a Hub id (organisation/name), a folder with config.json and .safetensors files, "
        "or a .gguf file.",
    )
    with st.container(horizontal=True):
        st.selectbox(
            "Device",
            _with_typed(machine.devices(), "device"),
            key=_key("device"),
            accept_new_options=True,
            help="cpu, cuda, cuda:1 or mps.",
        )
        st.selectbox("Precision", ["float32", "bfloat16", "float16"], key=_key("dtype"))
    st.checkbox(
        "Use random weights instead",
        key=_key("untrained"),
        help="The same architecture, never trained: what it shows too was not learned.",
    )


def _text() -> None:
    st.selectbox(
        "Text",
        _with_typed([*TEXTS, *_in_cache("dataset")], "text"),
        key=_key("text"),
        format_func=lambda typed: TEXTS.get(typed, typed),
        accept_new_options=True,
        help="Choose one, or type file:PATH (.txt, .raw, .jsonl, .parquet) or the id of a Hub dataset.",
    )
    st.text_input(
        "Documents", key=_key("documents"), placeholder="all of them", help="First and last, from 0, as in 0-599."
    )


def _perturbations() -> None:
    st.segmented_control(
        "What is done to each layer",
        [*presets.PRESETS, OWN],
        key=_key("preset"),
        required=True,
        on_change=_fill,
    )
    own = st.session_state[_key("preset")] == OWN
    if own:
        several.pick(
            "Perturbations",
            NAMES,
            _key("perturbations"),
            typed=True,
            placeholder="Pick one more, or type as in gaussian:0.25",
            help=f"Written {', '.join(form.example for form in FORMS.values())}; "
            "@all after a noise disturbs the first token too.",
        )
    else:
        _preset(presets.PRESETS[st.session_state[_key("preset")]])
    with st.container(horizontal=True):
        st.number_input("Sequences", 1, key=_key("sequences"), help="Verdicts need 8 or more.")
        st.number_input("Tokens in each", 8, key=_key("length"), step=8)
        if own:
            _noise()


def _preset(preset: presets.Preset) -> None:
    """What a preset measures."""
    labels = dict.fromkeys(each.perturbation.label for each in preset.measurements)
    st.caption(f"{capital(preset.about)}.", help="\n".join(f"- {label}" for label in labels))


def _noise() -> None:
    """What is said of noise in an own list; a preset says it itself."""
    st.text_input("Noise seeds", key=_key("seeds"), help="Whole numbers, as in 0,1.")
    st.selectbox(
        "Tokens disturbed by noise",
        list(labels.POSITIONS),
        key=_key("positions"),
        format_func=labels.POSITIONS.get,
        help="For perturbations that do not say it themselves.",
    )


def _more() -> None:
    first, second, third = st.columns(3)
    first.text_input("Revision", key=_key("revision"), placeholder="newest", help="Branch, tag or commit on the Hub.")
    second.number_input("Seed of the windows", 0, key=_key("seed"))
    third.selectbox(
        "Engine",
        ["wavefront", "hooks"],
        key=_key("engine"),
        help="hooks runs one full forward pass per layer: slower, for checking.",
    )
    first.selectbox("Packing", PACKINGS, key=_key("packing"))
    second.selectbox("Start token", list(STARTS), key=_key("bos"), format_func=STARTS.get)
    third.checkbox("Errors of removed weights", key=_key("removal"), help="What the allocation LSA looks at.")


# --- state -> request ----------------------------------------------------------------------------------------------


def _checked(chosen: dict[str, Any]) -> Choice:
    own = chosen["preset"] == OWN
    if own and not chosen["perturbations"]:
        raise UserError("choose at least one perturbation, as in gaussian:0.3")
    for name in ("model", "text", "device"):
        if not (chosen[name] or "").strip():
            raise UserError(f"the {name} is empty: choose or type one")
    device = chosen["device"].strip()
    if not re.fullmatch(DEVICE, device):
        raise UserError(f"there is no device {device!r}: give cpu, cuda, cuda:1 or mps")
    request = build(
        model=("random:" if chosen["untrained"] else "") + chosen["model"].strip(),
        revision=chosen["revision"].strip() or None,
        text=chosen["text"].strip(),
        documents=chosen["documents"].strip() or None,
        preset="quick" if own else chosen["preset"],
        perturb=chosen["perturbations"] if own else [],
        sequences=chosen["sequences"],
        length=chosen["length"],
        seeds=chosen["seeds"] if own else None,
        positions=chosen["positions"] if own else None,
        dtype=chosen["dtype"],
        seed=chosen["seed"],
        packing=None if chosen["packing"] == AUTOMATIC else chosen["packing"],
        bos=chosen["bos"],
        removal=chosen["removal"],
    )
    return Choice(request, device, chosen["engine"])


def _key(name: str) -> str:
    return f"measure-{name}"


def _with_typed(options: Iterable[str], key: str) -> list[str]:
    """The options, and what was typed beside them."""
    current = st.session_state[_key(key)] or []
    return list(dict.fromkeys([*options, *([current] if isinstance(current, str) else current)]))


def _amounts(name: str) -> dict[str, object]:
    """What a preset fills in."""
    preset = presets.PRESETS[name]
    names = list(dict.fromkeys(each.perturbation.name for each in preset.measurements))
    return {"sequences": preset.sequences, "length": preset.length, "perturbations": names}


def _fill() -> None:
    """A preset was picked: its amounts replace what is there; an own list begins with what is there."""
    chosen = st.session_state[_key("preset")]
    if chosen in presets.PRESETS:
        for key, value in _amounts(chosen).items():
            st.session_state[_key(key)] = value


def _chosen() -> dict[str, Any]:
    """Every choice, held equal to the URL; the widgets follow."""
    before = st.session_state.get(_key("preset"))
    preset = view.sync(_key("preset"), [*presets.PRESETS, OWN], "quick")
    if before not in (None, preset):  # picked by a link or the back button
        _fill()
    own, usual = preset == OWN, _amounts("quick" if preset == OWN else preset)
    closed = {
        "untrained": [False, True],
        "removal": [False, True],
        "dtype": ["float32", "bfloat16", "float16"],
        "packing": PACKINGS,
        "bos": list(STARTS),
        "engine": ["wavefront", "hooks"],
    }
    typed = {"model": "demo", "text": "demo", "device": machine.devices()[0], "revision": "", "documents": ""}
    return {
        "preset": preset,
        "perturbations": view.several(_key("perturbations"), usual["perturbations"], drawn=own),
        "sequences": view.whole(_key("sequences"), usual["sequences"], 1),
        "length": view.whole(_key("length"), usual["length"], 8),
        "seed": view.whole(_key("seed"), 0, 0),
        "seeds": view.text(_key("seeds"), "0", drawn=own),
        "positions": view.sync(_key("positions"), list(labels.POSITIONS), "after_first", drawn=own),
        **{name: view.sync(_key(name), options, options[0]) for name, options in closed.items()},
        **{name: view.text(_key(name), usual) for name, usual in typed.items()},
    }
