"""One sentence and one formula for every term."""

import html
import re
from collections.abc import Collection
from typing import NamedTuple

import streamlit as st

from core.methods import BASES, PERTURBATION_KINDS, PRUNERS, REPAIRS
from core.plan import FLOOR_MARGIN
from core.show.words import gain_sentences


class Term(NamedTuple):
    """A word as all pages use it."""

    sentence: str
    formula: str  # TeX


TERMS = {
    "layer": Term(
        "One decoder layer of the model; what it leaves in the residual stream at its output is h.",
        r"h_l,\quad l = 0, \dots, L-1",
    ),
    "residual stream": Term(
        "The vector of each token that every layer reads and adds to, from the embedding to the last layer.",
        r"h_l = h_{l-1} + f_l(h_{l-1})",
    ),
    "linear": Term(
        "A weight matrix in a layer, such as a projection of the attention or of the MLP: what pruning thins out.",
        r"y = W x",
    ),
    "perturbation": Term(
        "What is done to the stream at the output of one layer, the injection layer i, while the rest of the network "
        "runs on.",
        r"h'_i = h_i + d_i",
    ),
    "injection layer": Term(
        "The layer at whose output the stream is disturbed, one layer at a time.", r"i = 0, \dots, L-1"
    ),
    "read layer": Term(
        "A layer at whose output the disturbed stream is compared with the undisturbed one.", r"k = i, \dots, L-1"
    ),
    **{form.word: Term(form.about, form.formula) for form in PERTURBATION_KINDS.values() if form.word},
    "positions": Term(
        "Which tokens noise is injected at: all, or all after the first, which many models use as an attention sink.",
        r"t \geq 0 \quad\text{or}\quad t \geq 1",
    ),
    "attention sink": Term(
        "The first token, on which attention rests when it has nothing to look for; its vector is often far longer "
        "than the others, and it is always reported apart.",
        r"\lVert h_{k,0} \rVert \gg \lVert h_{k,t} \rVert,\quad t \geq 1",
    ),
    "drift": Term(
        "How far the disturbed stream is from the undisturbed one at a read layer k, relative to its length, token by "
        "token.",
        r"R_{i,k} = \lVert h'_k - h_k \rVert / \lVert h_k \rVert,\quad k \geq i",
    ),
    "gain": Term(
        "The factor by which drift changes from the injection layer to the last: above 1 the rest of the network "
        "amplifies, below 1 it absorbs.",
        r"r_i = \exp\left(\operatorname{mean}\, \ln (R_{i,L-1} / R_{i,i})\right)",
    ),
    "mean of ratios": Term(
        "The coefficient of the paper, as we know it second-hand: the ratio of the drifts averaged as it is, without a "
        "logarithm, so that a few tokens may dominate it; it is kept beside the gain.",
        r"\operatorname{mean}\, (R_{i,L-1} / R_{i,i})",
    ),
    "absorption": Term("Minus the logarithm of the gain: positive where damage is absorbed.", r"A_i = -\ln r_i"),
    "dilution": Term(
        "The part of a falling drift that comes from a growing stream, not from a shrinking damage.",
        r"\ln r_i = \ln \frac{\lVert d_{L-1} \rVert}{\lVert d_i \rVert} - "
        r"\ln \frac{\lVert h_{L-1} \rVert}{\lVert h_i \rVert}",
    ),
    "frozen-noise baseline": Term(
        "The gain that the damage would have if it stayed as it was while the stream grew: above it the damage has "
        "grown and a falling drift is dilution, only below it has the damage itself shrunk.",
        r"\lVert h_i \rVert / \lVert h_{L-1} \rVert\quad\text{for}\quad d_{L-1} = d_i",
    ),
    "twin": Term(
        "The same architecture with random weights, never trained: what it shows as well was not learned.",
        r"r_i^{\text{trained}} \;\text{against}\; r_i^{\text{random}}",
    ),
    "verdict": Term(
        gain_sentences.RULE,
        r"\text{amplifies: } \overline{\ln r_i} - t_{n-1} \, s / \sqrt n > \ln 1.05,\quad "
        r"\text{absorbs: } \overline{\ln r_i} + t_{n-1} \, s / \sqrt n < -\ln 1.05",
    ),
    "noise floor": Term(
        f"The drift that rounding alone brings about; drift below {FLOOR_MARGIN} times that is greyed.",
        r"d_i \sim 2^{-24} \lVert h_i \rVert \;\text{(float32)}",
    ),
    "harm": Term(
        "What the output suffers: the divergence of the next-token distribution, the increase of the loss, and the "
        "share of predictions that change.",
        r"\operatorname{KL}(p \,\|\, p'),\quad \Delta\text{NLL},\quad \Pr[\arg\max p \neq \arg\max p']",
    ),
    "nats": Term(
        "The unit of loss and of divergence (KL) where logarithms are natural ones: a loss that is 0.1 nats per token "
        "higher makes the perplexity 1.1 times as large.",
        r"1 \text{ nat} = 1 / \ln 2 \text{ bits} \approx 1.44 \text{ bits}",
    ),
    "perplexity": Term(
        "How well a model predicts a text, less being better: it is as unsure of the next token as if it had to choose "
        "among that many equally likely ones.",
        r"\exp\left(-\operatorname{mean}_t \ln p(x_t \mid x_1, \dots, x_{t-1})\right)",
    ),
    "rank correlation": Term(
        "How far two measures put the same things, layers or allocations, in one order: 1 if wholly, 0 if not at "
        "all, -1 if in the reverse one; it is Spearman's.",
        r"\operatorname{corr}(\operatorname{rank} x, \operatorname{rank} y)",
    ),
    "response": Term(
        "Harm, or squared final drift, over sparsity when one layer alone is pruned; summed over layers it is the "
        "additive estimate.",
        r"f_i(s),\quad \textstyle\sum_i f_i(s_i)",
    ),
    "sketch": Term(
        "An estimate of the harm of every linear at every sparsity and number format from gradients alone: of random "
        "scores of the next words, the mean square of the change that a damage causes to first order.",
        r"\operatorname{KL} \approx \operatorname{mean}\, \langle g, \Delta W \rangle^2 / 2T,\quad "
        r"\operatorname{cov} g = \text{Fisher}",
    ),
    **{row.label: Term(row.about, row.formula) for row in (*PRUNERS.values(), *REPAIRS.values())},
    "budget": Term(
        "The mean sparsity over all prunable weights, which every allocation must meet.",
        r"\textstyle\sum_i n_i s_i / \sum_i n_i = \text{target},\quad \text{low} \leq s_i \leq \text{high}",
    ),
    **{form.word: Term(form.about, form.formula) for form in BASES.values() if form.word},
    "correction": Term(
        "The shift of an allocation that spares layers that amplify and takes from those that absorb; the strength is "
        "this tool's own parameter.",
        r"s = \operatorname{project}\left(s_{\text{base}} + \text{strength} \cdot D / \max|D|\right),\quad "
        r"D = -(u - \bar u),\; u = \operatorname{clip}(\ln r, \pm \ln 3)",
    ),
    "strength": Term(
        "The largest shift that a correction asks of a layer, in units of sparsity; it is this tool's own parameter, "
        "and 0 gives the base back.",
        r"\text{strength} = \max_l |s^{\text{asked}}_l - s^{\text{base}}_l|",
    ),
    "control": Term(
        "What a correction must beat to be believed: itself reversed, its shifts shuffled over layers, or a straight "
        "ramp over depth.",
        r"-D,\quad D_{\pi(l)},\quad a + b\,l",
    ),
}


def anchor(term: str) -> str:
    """Anchor of a term on the glossary page."""
    return term.replace(", ", "-").replace(" ", "-")


def formula(term: Term) -> str:
    """The formula of a term as text: a phone breaks a line between the parts of a long one."""
    return ", ".join(rf"$\displaystyle {part}$" for part in re.split(r",\s*\\quad\s*", term.formula))


# Terms that a reader may not know, as they stand in sentences.
LONGEST_FIRST = sorted((re.escape(each) for each in TERMS if "," not in each), key=len, reverse=True)
EXPLAINED = re.compile(rf"\b({'|'.join(LONGEST_FIRST)})\b")
EVERYDAY = ("layer", "mean", "skip", "control", "checkpoint", "magnitude", "refit", "blockwise")


def explained(text: str, terms: Collection[str] | None = None) -> str:
    """Markdown in which the first of each term on a page is underlined, with its sentence on hover and focus.

    Args:
        text: escaped.
        terms: to be underlined, however often; None: whatever the page has not explained yet.
    """
    before = st.session_state.setdefault("explained", set()) if terms is None else {*TERMS} - {*terms}

    def mark(match):
        term = match[1]
        if (term in EVERYDAY and terms is None) or term in before:
            return term
        before.add(term)
        return f'<abbr tabindex="0" title="{html.escape(TERMS[term].sentence)}">{term}</abbr>'

    return EXPLAINED.sub(mark, text)


def words(terms: str) -> None:
    """Draw the terms of a picture, comma-separated, each explained."""
    st.caption(explained(terms.replace(", ", " · "), terms.split(", ")), unsafe_allow_html=True)
