"""Names, keys and refusals of requests and specs."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.base import checked
from core.methods import (
    PERTURBATION_KINDS,
    Covariance,
    Gaussian,
    GaussianPart,
    Mean,
    Residual,
    ResidualPart,
    ResidualRescaled,
    Skip,
    SkipPart,
)
from core.requests import (
    BestSpec,
    ExactRecipe,
    Measurement,
    MeasureRequest,
    ModelSpec,
    PerturbedSpec,
    ProfileSpec,
    Recipe,
    StudyRequest,
    TextSpec,
    WindowRequest,
    in_order,
    measurements,
    methods_of,
    perturbation,
    read_recipe,
)
from tests.builders import entries

sizes = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
sparsities = st.floats(min_value=0, max_value=1, exclude_max=True)
positions = st.sampled_from(["after_first", "all"])
pruners = st.sampled_from(["magnitude", "wanda", "wanda+refit", "alps"])
parts = st.one_of(st.sampled_from(["attention", "mlp", "head:each"]), st.integers(0, 9999).map("head:{}".format))
perturbations = st.one_of(
    st.builds(Gaussian, size=sizes, positions=positions),
    st.builds(Covariance, size=sizes, positions=positions),
    st.builds(Residual, pruner=pruners, sparsity=sparsities),
    st.builds(
        ResidualRescaled,
        pruner=pruners,
        sparsity=st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True),
        size=st.one_of(sizes, sizes.map(lambda size: -size)),
        positions=positions,
    ),
    st.just(Skip()),
    st.builds(SkipPart, part=parts),
    st.builds(Mean, part=parts, positions=positions),
    st.builds(GaussianPart, size=sizes, positions=positions, part=parts),
    st.builds(ResidualPart, pruner=pruners, sparsity=sparsities, part=st.sampled_from(["attention", "mlp"])),
)


@given(perturbations)
def test_a_name_reads_back_as_the_same_perturbation(asked):
    again = perturbation(asked.name)
    assert again == asked and again.key == asked.key


@example(Gaussian(size=0.3), Covariance(size=0.3))  # kinds with equal fields
@given(perturbations, perturbations)
def test_keys_are_equal_exactly_where_specs_are(one, other):
    assert (one.key == other.key) == (one == other)
    assert (one.name == other.name) == (one == other)


TEXT = TextSpec(content="c", tokenizer="t", packing="joined", bos="protocol", length=16, windows=((0, 0), (0, 16)))
UNIT = PerturbedSpec(model=ModelSpec(content="m"), text=TEXT, measurement=Measurement(perturbation=Gaussian(size=0.3)))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("model", {"initialised": 0}), ("model", {"dtype": "bfloat16"}), ("text", {"content": "d"}),
        ("text", {"bos": "every"}), ("text", {"windows": ((0, 0), (0, 17))}), ("measurement", {"seed": 1}),
    ],
)  # fmt: skip
def test_any_change_is_another_key(part, change):
    changed = checked(PerturbedSpec, **dict(UNIT) | {part: getattr(UNIT, part).model_dump() | change})
    assert changed.key not in (UNIT.key, UNIT.replace(harm_stride=5).key)
    assert PerturbedSpec.model_validate_json(changed.model_dump_json()).key == changed.key


def test_keys_are_the_same_on_every_machine_and_in_every_version():
    names = {"skip": "ea08467ad5905168", "gaussian:0.3": "83ba6189ef15276a", "residual:wanda:0.7": "e726f6d900b92cfe"}
    assert {name: perturbation(name).key for name in names} == names
    assert UNIT.key == "2110e6763aefc13e"
    pruned = ExactRecipe(pruner="wanda", sparsity=(0.5, 0.6), calibration=TEXT).replace(method=1)
    assert pruned.key == "6bf396241053acc9" != pruned.replace(repair="refit").key
    assert StudyRequest(settings=(Recipe(),)).key == "bb10747c45e87d7b"


def test_what_an_earlier_version_of_a_pruner_or_repair_gave_is_no_result(refused):
    """Of perturbations alone stored ones stay, as in committed profiles, and say so."""
    pruned = {"pruner": "wanda", "sparsity": (0.5, 0.6), "calibration": TEXT}
    for earlier in ({"method": 1}, {"repair": "refit+blockwise", "repair_method": 1}):
        with refused("another version"):
            checked(ExactRecipe, **pruned, **earlier)
    with refused("repair=refit", "calibration text"):
        checked(ExactRecipe, **pruned | {"calibration": None}, repair="refit")
    assert "repair_method" not in ExactRecipe(**pruned, repair="refit").model_dump()
    asked = tuple(Measurement(perturbation=perturbation(name)) for name in ("skip", "residual:wanda:0.7"))
    before = ProfileSpec(model=UNIT.model, text=TEXT, measurements=asked)
    after = before.replace(methods=methods_of(asked))
    assert before.is_outdated and not after.is_outdated and "methods" not in before.model_dump()
    assert [before.unit(each) == after.unit(each) for each in asked] == [True, False]


@pytest.mark.parametrize("kind", PERTURBATION_KINDS)
def test_every_perturbation_has_words_of_its_own(kind):
    asked = perturbation(PERTURBATION_KINDS[kind].example)
    assert asked.kind == kind and asked.name == PERTURBATION_KINDS[kind].example
    assert asked.label and asked.short and asked.is_kin(asked)


def test_attention_and_mlp_are_one_family_and_heads_another():
    names = ("skip:attention", "skip:mlp", "skip:head:2", "skip:head:10", "mean:mlp", "gaussian:0.3:mlp", "skip")
    asked = [perturbation(name) for name in names]
    kin = {(one.name, other.name) for one in asked for other in asked if one.name < other.name and one.is_kin(other)}
    assert kin == {("skip:attention", "skip:mlp"), ("skip:head:10", "skip:head:2")}


def test_specs_are_frozen_and_refuse_unknown_kinds_and_fields():
    for wrong in ({"kind": "noise", "size": 0.3}, {"kind": "gaussian", "size": 0.3, "sise": 0.4}):
        with pytest.raises(ValidationError):
            Measurement.model_validate({"perturbation": wrong})
    with pytest.raises(ValidationError):
        Gaussian(size=0.3).size = 0.4


@pytest.mark.parametrize(
    "text",
    [
        "", "noise:0.3", "gaussian", "gaussian:", "gaussian:0", "gaussian:-0.3", "gaussian:nan", "gaussian:inf",
        "gaussian:1e999", "gaussian:0.3:0.4", "gaussian:0.3@", "gaussian:0.3@first", "gaussian:0.3@all@all",
        "residual:0.7", "residual:wanda", "residual:wanda:1", "residual:wanda:-0.1", "residual:wonda:0.7",
        "residual:wanda+glue:0.7", "residual:refit:0.7",
        "residual:wanda:0.7@all", "residual_rescaled:wanda:0.7", "residual_rescaled:wanda:0.7:0",
        "residual_rescaled:wanda:0:0.3", "skip:1", "skip@all",
        "skip:", "skip:head", "skip:head:", "skip:head:-1", "skip:head:01", "skip:head:x", "skip:mlp:1", "skip:mlp@all",
        "mean", "mean:layer", "gaussian:0:mlp", "gaussian:mlp", "residual:wanda:0.7:head:3", "residual:wanda:mlp",
        "covariance:0.3:mlp", "skip_part:mlp",
    ],
)  # fmt: skip
def test_a_bad_perturbation_is_refused_in_one_sentence(text, refused):
    with refused():
        perturbation(text)


def test_positions_given_beside_are_used_where_the_text_leaves_them_open():
    names = [perturbation(name, "all").name for name in ("gaussian:0.3", "gaussian:0.3@after_first", "skip")]
    assert names == ["gaussian:0.3@all", "gaussian:0.3", "skip"]


@pytest.mark.parametrize("name", ["gaussian:0.01", "covariance:0.049", "residual_rescaled:wanda:0.7:-0.04"])
def test_half_precision_refuses_what_it_would_drown(name, refused):
    asked = measurements.measurements([perturbation(name)])
    for dtype in ("bfloat16", "float16"):
        with refused(name, dtype):
            checked(MeasureRequest, dtype=dtype, measurements=asked)
    assert checked(MeasureRequest, measurements=asked).dtype == "float32"


def test_only_noise_is_repeated_for_seeds_and_nothing_twice():
    asked = [Gaussian(size=0.3), Skip(), Gaussian(size=0.3)]
    assert [each.name for each in measurements.measurements(asked, (0, 1))] == [
        "gaussian:0.3",
        "gaussian:0.3 seed 1",
        "skip",
    ]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("sequences", 0, "sequences"), ("length", 7, "length"), ("documents", (5, 2), "5-2"),
        ("documents", (-1, 2), "-1"), ("bos", "always", "bos"), ("packing", "tight", "packing"),
        ("seed", -1, "seed"),
    ],
)  # fmt: skip
def test_a_bad_window_is_refused_in_one_sentence(field, value, named, refused):
    with refused(named):
        checked(WindowRequest, **{field: value})


def test_perturbations_are_listed_by_kind_then_by_what_is_pruned_then_by_size():
    wanted = [
        "gaussian:0.03", "gaussian:0.3", "gaussian:0.3@all", "gaussian:1", "gaussian:0.1:mlp",
        "gaussian:0.3:mlp", "covariance:0.1", "residual:magnitude:0.7", "residual:wanda:0.5",
        "residual:wanda:0.9", "residual_rescaled:wanda:0.7:-0.3",
        "residual_rescaled:wanda:0.7:0.3", "skip", "skip:attention", "skip:mlp", "skip:head:2", "skip:head:10",
    ]  # fmt: skip
    shuffled = [perturbation(name) for name in sorted(wanted, reverse=True)]
    assert [each.name for each in in_order(shuffled)] == wanted


@pytest.mark.parametrize(
    "changed",
    [{"winner": "lsa:0.7"}, {"winner": "owl:0.6"}, {"runner_up": "lsa:0.7"}, {"final": None}],
    ids=["never tried", "at another target", "never judged", "judged without its uniform"],
)
def test_an_answer_names_what_was_tried_and_judged_beside_uniform(changed, empty):
    entries.save_best(empty)
    [fields] = (dict(each.spec) for each in empty.entries("best"))
    for name, words in changed.items():
        alone = [each for each in fields["final"].points if each.setting in (None, fields["winner"])]
        fields[name] = read_recipe(words) if words else fields["final"].replace(points=tuple(alone))
    with pytest.raises(ValueError, match="among what was tried and judged"):
        BestSpec(**fields)
