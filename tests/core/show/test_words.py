"""How values, names and axes are written."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import formats
from core.plan import MASKED, SMALLEST, sizes
from core.requests import Counts
from core.results import Prediction
from core.show import words
from core.show.figures import axes
from core.show.words import study_lines
from tests import synthetic


@pytest.mark.parametrize(
    ("write", "value", "said"),
    [
        *((formats.digits, *each) for each in ((0.5678, "0.57"), (12.34, "12"), (1234.0, "1,200"), (0, "0"),
                                             (0.05, "0.050"), (0.999, "1.0"))),
        *((formats.gain, *each) for each in ((0.567, "0.57×"), (1.07, "1.07×"), (1.996, "2.00×"), (12.34, "12×"),
                                           (0.0123, "0.012×"))),
        *((formats.changed, *each) for each in ((3.14, "grows 3.1×"), (0.57, "shrinks to 0.57×"),
                                              (1.04, "stays as large"), (1, "stays as large"))),
        *((formats.perplexity, *each) for each in ((30.83, "30.8"), (1234, "1,230"), (99_900, "99,900"),
                                                 (1e25, "above 100,000"), (math.inf, "above 100,000"),
                                                 (math.nan, "not known"))),
        *((formats.per_cent, *each) for each in ((0.7, "70 %"), (0.6254, "62.5 %"), (12.5, "1,250 %"))),
    ],
)  # fmt: skip
def test_a_value_is_written_as_it_is_read(write, value, said):
    assert write(value) == said


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Uniform", ["Uniform"]),
        ("OWL, m 7, lam 0.2", ["OWL, m 7,", "lam 0.2"]),
        ("SmolLM2-135M-Instruct, untrained", ["SmolLM2-135M-", "Instruct,", "untrained"]),
        ("<b>", ["&lt;b&gt;"]),
    ],
)
def test_names_are_broken_where_they_may_be(name, lines):
    assert axes.wrapped(name, 14).replace("\u00a0", " ").split("<br>") == lines


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([36.14, 196.0, 197.5, 1170.2], "%,.1f"), ([-0.7224, -20.0, -39.2, -54.5], "%,.2f"),
        ([0.5, 0.6, 0.7], "%,.1f"), ([1.0, -0.84, 0.2], "%,.2f"), ([0.0, float("nan")], "%,.0f"),
        ([1e-7, 1.0], "%.4g"),
    ],
)  # fmt: skip
def test_a_column_is_written_with_the_same_decimals_throughout(values, form):
    assert words.column(np.array(values)) == form


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9), st.floats(0.01, 2))
def test_labels_never_overlap_and_keep_their_order(wanted, gap):
    placed = axes.apart(np.array(wanted), gap)
    assert (np.diff(placed[np.argsort(wanted, kind="stable")]) >= gap - 1e-9).all()


def test_every_perturbation_of_the_presets_has_words():
    names = [asked.perturbation for asked in synthetic.profile_spec().measurements]
    spoken = {(asked.label, getattr(asked, "positions", "")) for asked in names}
    assert len(spoken) == len({asked.name for asked in names})


def test_divergence_has_a_caveat_near_the_unpruned_model_and_unknown_it_is_not_said():
    near = Prediction(60.0, 50.0, 70.0, 0.7, None, (0.05, 0.03, 0.09), (0.221, 0.2, 0.243))
    assert study_lines.next_words(near).endswith("neither tells how scores on tasks change (arXiv 2606.19558).")
    assert study_lines.next_words(near._replace(kl=None)) == ""


def test_what_zeros_are_worth_follows_the_numbers():
    counts = Counts(linears=8_000_000, matrices=0, vectors=0)
    few, many = (sizes.sizes(counts, MASKED, 16 * kept + 1) for kept in (0.3, 0.1))
    assert (few[MASKED], few[SMALLEST], many[MASKED]) == (5_800_000, 4_500_000, 2_600_000)
    assert study_lines.on_zeros(few, {}) == (
        "A dense Q4_0 file takes 22.4 % fewer bytes than these zeros: prune for research, or combine both."
    )
    assert "is 20.00 against 31.00: prune for" in study_lines.on_zeros(few, {MASKED: 31.0, SMALLEST: 20.0})
    assert "is 40.00 against 31.00: the zeros cost less" in study_lines.on_zeros(few, {MASKED: 31.0, SMALLEST: 40.0})
    assert study_lines.on_zeros(many, {}) == "These zeros take 42.2 % fewer bytes than a dense Q4_0 file would."
    assert study_lines.on_zeros(sizes.sizes(counts, "3 bits", 3.6), {}) == (
        "Linears in 3 bits take 80 % of the bytes of a dense Q4_0 file."
    )
