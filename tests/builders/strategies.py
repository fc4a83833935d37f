"""Everything that an allocation and a setting may be."""

from typing import get_args

from hypothesis import strategies as st

from core.methods import BASES, CHAINS, CURVES, OUTLIER_THRESHOLDS, REPAIRS_WITHOUT_BUDGET, SPARSIFIERS
from core.methods import pattern as read_pattern
from core.requests import AllocationRequest, Control, Correction, Recipe, uniform

shares = st.floats(0, 1, exclude_max=True)
drivers = st.sampled_from(["gaussian:0.3", "gaussian:0.01@all", "residual:wanda:0.7", "skip"])
corrections = st.builds(
    Correction,
    strength=st.floats(0, 0.5),
    driver=drivers,
    control=st.sampled_from(get_args(Control)),
    seed=st.integers(0, 99),
    clip=st.floats(1e-6, 1e6),
)
UNPLAIN = {"m": OUTLIER_THRESHOLDS, "pruner": list(CURVES)}  # parameters whose types do not say what they may be


def values(name, field):
    """Everything that a parameter of an allocator may be."""
    if name in UNPLAIN or field.annotation is not float:
        return st.sampled_from(UNPLAIN.get(name) or get_args(field.annotation))
    said = {key: getattr(each, key) for each in field.metadata for key in ("ge", "le", "lt") if hasattr(each, key)}
    greatest = said.get("le", said.get("lt"))
    return st.floats(said.get("ge"), greatest, exclude_max="lt" in said, allow_nan=False, allow_infinity=False)


bases = st.one_of(
    *(
        st.builds(form, **{name: values(name, field) for name, field in form.model_fields.items() if name != "kind"})
        for form in BASES.values()
        if not form.by_hand
    )
)
bounded = st.builds(AllocationRequest, base=bases, target=shares, low=shares, high=shares, correction=corrections)
loose = bounded.map(lambda asked: asked.replace(correction=Correction(), unclipped=True))
allocations = st.one_of(bounded, loose)
whole = {
    "pruner": st.sampled_from(list(SPARSIFIERS)),
    "repair": st.sampled_from([None, *REPAIRS_WITHOUT_BUDGET]),
    "true_sequential": st.booleans(),
    "calibration_seed": st.integers(0, 10**6),
}
patterned = st.sampled_from(["2:4", "4:8", "1:4", "1:32"]).flatmap(
    lambda name: st.builds(
        Recipe, pattern=st.just(name), allocation=st.just(uniform(read_pattern(name).sparsity)), **whole
    )
)
unbound = st.one_of(st.builds(Recipe, allocation=allocations, **whole), patterned)
trained = st.builds(
    lambda one, repair, how: one.replace(repair=repair, **how),
    unbound,
    st.sampled_from([each for each in CHAINS if each not in REPAIRS_WITHOUT_BUDGET]),
    st.one_of(
        st.fixed_dictionaries({"recover_minutes": st.floats(1e-6, 1e5), "recover_until": st.integers(0, 10**12)}),
        st.fixed_dictionaries(
            {"recover_tokens": st.integers(1, 10**12)},
            optional={
                "recover_norms": st.booleans(),
                "recover_dtype": st.sampled_from(["float32", "bfloat16"]),
                "recover_text": st.sampled_from(["calibration", "own"]),
            },
        ),
    ),
)
settings = st.one_of(unbound, trained)
