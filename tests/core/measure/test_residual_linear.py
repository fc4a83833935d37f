"""One linear of a layer pruned alone: its edges; its definition is tested with the others, beside the engines."""

from __future__ import annotations

import pytest

from core.models import anatomy
from core.models.windows import Windows
from core.store.cache import Store
from core.store.results import Perturbed
from tests import tiny


def measured(store: Store, family: str, text: Windows, *names: str) -> dict[str, Perturbed]:
    """Sweep the family's tiny model; name -> what was measured."""
    of = tiny.loaded(family)
    profile = tiny.profile(of, text, *names)
    tiny.sweep(of, text, profile, store).run()
    return {each.name: store.load(profile.unit(each)) for each in profile.measurements}


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_unknown_linear_gets_a_sentence_that_lists_the_known(family: str, empty: Store, refused) -> None:
    with refused("mlp.nothing", *(each.name for each in anatomy.linears(tiny.loaded(family).layers[0]))):
        measured(empty, family, tiny.windows(3, 12), "residual_linear:wanda:0.5:mlp.nothing")
