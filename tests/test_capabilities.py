"""Every cell of the Evidence page's matrix of families and capabilities, tried."""

import pytest

from tests.bench.capabilities import told
from tests.capabilities import CAPABILITIES, cell
from tests.families import FAMILIES

TOLD = told()


def test_the_matrix_has_every_family_and_every_capability():
    assert list(TOLD) == [(family, capability) for family in FAMILIES for capability in CAPABILITIES]


def test_only_experts_and_state_spaces_are_kept_from_pruning_and_every_family_is_measured():
    refused = {family for (family, _), said in TOLD.items() if said == "no"}
    assert refused == {"mamba", "mixtral", "qwen2_moe", "qwen3_moe", "olmoe"}
    assert {TOLD[family, each] for family in FAMILIES for each in ("measure", "compare", "evaluate")} == {"yes"}


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_matrix_says(family, capability):
    said = TOLD[family, capability]
    assert cell(family, capability) == said, "write it anew with python -m tests.bench.capabilities"
