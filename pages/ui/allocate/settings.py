"""Widgets -> an allocation request. Every setting is held equal to the URL."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from core.allocation.allocate import is_per_linear, judge_of
from core.allocation.correction import CLIP
from core.analysis.responses import Judge, pruners
from core.figures import labels
from core.specs import allocations
from core.specs.allocations import BASE_LABELS, AllocationRequest, Correction
from core.specs.base import Spec, checked
from core.specs.measurements import OUTLIER_THRESHOLDS
from core.specs.pruners import PRUNER_LABELS
from core.store.profiles import Profile
from pages.ui import view


def steps(low: float, high: float, step: float) -> list[float]:
    """Numbers from low to high, both included."""
    return [round(low + i * step, 6) for i in range(round((high - low) / step) + 1)]


STRENGTHS = steps(0, 0.1, 0.001)
TARGETS = steps(0, 0.95, 0.01)
CLIPS = {math.log(1.5): "1.5×", math.log(2): "2×", CLIP: "3×, the paper's", math.log(5): "5×", math.log(100): "100×"}
CONTROLS = {"none": "none", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}
ABOUT_CONTROLS = (
    "Reversed protects the absorbers instead; shuffled gives the same shifts to other layers; ramp is a straight line "
    "over depth of the same width. If a control does as well, the correction is not what helps."
)
WHOSE = (
    "From the paper itself: a coefficient of each layer, measured by disturbing it, shifts an existing allocation. "
    "Known to us second-hand only: the coefficient as a mean of ratios, its clip at ln 3, and the centred shift, which "
    "protects layers that amplify. Ours: the geometric mean in place of the mean of ratios, which noise drives it and "
    "at which tokens, the strength, and how the budget is restored. Nothing here is a claim until it is pruned and "
    "evaluated."
)
ABOUT_UNCLIPPED = (
    "For comparison: what the authors' code computes, as it is. OWL's then prunes 0.01 where this reaches 0 or less, "
    "and NeuroAL's keeps its line inside 0.01 to 0.99. Off, the same wish is shifted by one number and kept inside the "
    "bounds, so that the budget is met exactly."
)
LOOSE = (
    "The correction and setting layers by hand are off: both spend an exact budget inside bounds, and unclipped "
    "numbers know neither."
)


@dataclass(frozen=True)
class Parameter:
    """One setting of an allocator."""

    name: str  # field of the request
    label: str
    options: Sequence[float | str]
    words: dict[str, str] = field(default_factory=dict)  # option -> words, where options are names
    key: str | None = None  # in the URL, where the name is taken by another page


@dataclass(frozen=True)
class Method:
    """A base allocator: what is known of it, what can be set; `words.BASES` says how it is called."""

    form: type[Spec]
    about: str
    parameters: tuple[Parameter, ...] = ()
    reference: bool = False  # there is a code of its authors, whose numbers leave the bounds


OBJECTIVES = {"drift": "final drift²", "kl": "divergence", "nll": "loss"}
GRANULARITIES = {"layer": "one per layer", "linear": "one per linear"}
WIDTHS = steps(0, 0.3, 0.01)
METHODS = {
    "uniform": Method(allocations.Uniform, "Every layer alike: the default of magnitude pruning, Wanda and SparseGPT."),
    "owl": Method(
        allocations.Owl,
        "Yin et al., arXiv 2310.05175: a layer with more outlying Wanda scores keeps more weights. The paper promises "
        "target ± λ; its code makes a band of width 2λ that is not centred, and so does this. Its published commands "
        "use M = 5, λ = 0.08.",
        (
            Parameter("m", "Outlier threshold M, × mean score", OUTLIER_THRESHOLDS),
            Parameter("lam", "Half width λ, sparsity", WIDTHS),
        ),
        reference=True,
    ),
    "alphapruning": Method(
        allocations.AlphaPruning,
        "arXiv 2410.10912: a layer with a heavy-tailed spectrum (small α) is pruned less; needs no text. The paper "
        "defines the Hill estimator, its code searches the tail. ε is relative to the target, λ of OWL is not.",
        (
            Parameter("epsilon", "Relative half width ε", steps(0, 0.9, 0.01)),
            Parameter("estimator", "Exponent α by", ("peak", "hill"), {"peak": "best tail", "hill": "Hill"}),
        ),
        reference=True,
    ),
    "dlp": Method(
        allocations.Dlp,
        "arXiv 2505.23807: a layer with large Wanda scores is pruned more. The paper takes their median, its code the "
        "mean.",
        (
            Parameter("alpha", "Half width α, sparsity", WIDTHS),
            Parameter("statistic", "Scores by", ("mean", "median"), {"mean": "mean", "median": "median"}, "scores"),
        ),
        reference=True,
    ),
    "depth_ramp": Method(
        allocations.DepthRamp,
        "A straight line over depth, as in ATP (arXiv 2502.14770) and NeuroAL (arXiv 2411.07066); looks at nothing. "
        "ATP chose its β on the very test text it reports.",
        (Parameter("beta", "Step from layer to layer β, sparsity", steps(-0.02, 0.02, 0.001)),),
        reference=True,
    ),
    "response": Method(
        allocations.Response,
        "Ours: from what pruning each layer alone was measured to do, the allocation of least total harm for the "
        "budget. It is exact for the sum of these harms, but the layers of a pruned model do not simply add up.",
        (
            Parameter("granularity", "Budget", tuple(GRANULARITIES), GRANULARITIES),
            Parameter("objective", "Harm by", tuple(OBJECTIVES), OBJECTIVES),
            Parameter("pruner", "Pruned by", tuple(PRUNER_LABELS), PRUNER_LABELS),
        ),
    ),
}


def text(key: str, default: str, valid: Callable[[str], bool]) -> str:
    """A setting without a widget of its own, in the session's state and the URL; what is not valid is dropped."""
    known = [st.query_params.get(key), st.session_state.get(key)]
    return view.sync(key, [default, *(each for each in known if each is not None and valid(each))], default)


def base() -> Spec:
    """Choose an allocator and its own parameters."""
    kind = view.sync("base", list(METHODS), "owl")
    st.selectbox("Base allocator", list(METHODS), key="base", format_func=BASE_LABELS.get)
    method = METHODS[kind]
    values = {each.name: _parameter(each, method.form) for each in method.parameters}
    st.caption(method.about)
    return checked(method.form, **values)


def _parameter(asked: Parameter, form: type[Spec]) -> float | str:
    key = asked.key or asked.name
    about = form.model_fields[asked.name]
    value = view.sync(key, asked.options, about.default)
    if asked.words:
        view.switch(asked.label, asked.words, key)
    else:
        st.select_slider(asked.label, asked.options, key=key, format_func="{:g}".format)
    return value


def unclipped(draw: bool = True) -> bool:
    """Whether the reference code's own numbers are asked for, which no bound and no budget holds.

    Args:
        draw: show the switch; without it the setting is only read.
    """
    if not METHODS[st.session_state["base"]].reference:
        return False
    asked = view.sync("unclipped", [False, True], False)
    if draw:
        st.toggle("Reference code unclipped", key="unclipped", help=ABOUT_UNCLIPPED)
    return asked


def budget(bounded: bool = True) -> dict[str, float]:
    """Target, and bounds where they hold."""
    found = {"target": view.sync("target", TARGETS, 0.7)}
    about = "Mean over layers, weighted by their parameters."
    st.select_slider("Target sparsity", TARGETS, key="target", format_func="{:g}".format, help=about)
    columns = st.columns(2) if bounded else (None, None)
    for place, key, label, default in zip(columns, ("low", "high"), ("Least", "Greatest"), (0.0, 0.95), strict=True):
        found[key] = view.sync(key, TARGETS, default)
        if place:
            place.select_slider(f"{label} of a layer", TARGETS, key=key, format_func="{:g}".format)
    return found


def correction(profile: Profile) -> Correction:
    """What drives the correction, and the control in its place. The strength is dragged in the live chart."""
    names = list(profile.by_name)
    driver = view.sync("driver", names, "gaussian:0.3" if "gaussian:0.3" in names else names[0])
    st.selectbox(
        "Correction driven by the gain of", names, key="driver", format_func=lambda name: disturbance(profile, name)
    )
    control = view.sync("control", list(CONTROLS), "none")
    st.selectbox("Control in its place", list(CONTROLS), key="control", format_func=CONTROLS.get, help=ABOUT_CONTROLS)
    seed = 0
    if control == "shuffled":
        seed = view.sync("shuffle", range(10), 0)
        st.select_slider("Shuffle", range(10), key="shuffle")
    clip = view.sync("clip", list(CLIPS), CLIP)
    st.select_slider("Gains count up to", list(CLIPS), key="clip", format_func=CLIPS.get)
    strength = view.sync("strength", STRENGTHS, 0.0)
    return Correction(strength=strength, driver=driver, control=control, seed=seed, clip=clip)


def disturbance(profile: Profile, name: str) -> str:
    """A perturbation and its positions, in one line."""
    asked = profile.perturbations[name]
    everywhere = getattr(asked, "positions", "after_first") == "all"
    return labels.label(asked) + (f", {labels.POSITIONS['all']}" if everywhere else "")


def request(profile: Profile) -> AllocationRequest:
    """Draw every setting and put them together; whether the budget can be met is for the allocator to say."""
    chosen = base()
    loose = unclipped()
    spent = budget(bounded=not loose)
    if loose:
        st.caption(LOOSE)
    shifted = Correction() if loose else correction(profile)
    return checked(AllocationRequest, base=chosen, correction=shifted, unclipped=loose, **spent)


def judge(request: AllocationRequest, profile: Profile) -> Judge:
    """By what the additive estimates are made; the switches are drawn elsewhere."""
    known = pruners(profile, is_per_linear(request.base))
    usual = judge_of(request, profile)
    by = view.sync("judge_pruner", list(dict.fromkeys([usual, *known])), usual)
    return Judge(view.sync("judge", list(OBJECTIVES), "drift"), by)


def judge_switches(request: AllocationRequest, profile: Profile) -> None:
    """Which harm the estimates sum and, where several pruners were measured alone, whose."""
    with st.container(horizontal=True):
        view.switch("Estimate the harm by", OBJECTIVES, "judge")
        known = pruners(profile, is_per_linear(request.base))
        if len(known) > 1:
            view.switch("of layers pruned by", {each: PRUNER_LABELS[each] for each in known}, "judge_pruner")


def keys(asked: AllocationRequest) -> list[str]:
    """The settings in use: what undo takes back. Those of other allocators keep their values unseen."""
    method = METHODS[asked.base.kind]
    own = [each.key or each.name for each in method.parameters]
    loose = ["unclipped"] if method.reference else []
    fix = [] if asked.unclipped else ["driver", "control", "clip", "strength"]
    shuffled = ["shuffle"] if asked.correction.control == "shuffled" else []
    held = [] if asked.unclipped or is_per_linear(asked.base) else ["hand"]
    return ["base", "target", "low", "high", "judge", "judge_pruner", *held, *own, *loose, *fix, *shuffled]
