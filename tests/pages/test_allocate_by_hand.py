"""Allocations with layers set by hand, and with a budget of each linear."""

import numpy as np
import pytest

from core.methods.response import Response
from core.plan.allocation import allocate
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from pages.ui.allocate import current_allocation
from tests.pages.allocate_page import load_, on_screen, opened
from tests.pages.opening import live, url


def test_layers_set_by_hand_stay_while_the_others_keep_the_budget(cache):
    app = opened(profile=cache["deep"])
    start = on_screen(app)
    app.text_input(key="hand").set_value("4:0.5").run()
    found = on_screen(app)
    assert found[4] == 0.5
    assert len(set(np.delete(found - start, 4).round(12))) == 1  # one shift for all the others
    assert url(app)["hand"] == "4:0.5"
    held = {name: at for name, at in live(app)["state"].items() if name.startswith("hand") and at >= 0}
    assert held == {"hand4": 500}
    app.text_input(key="hand").set_value("").run()
    assert on_screen(app) == pytest.approx(start) and "hand" not in app.query_params


IMPOSSIBLE = ",".join(f"{layer}:0.1" for layer in range(20))


@pytest.mark.parametrize("hand", [IMPOSSIBLE, "30:0.5", "1:1.0", "a:0.5", "1"])
def test_an_impossible_layer_by_hand_is_said_and_left_out(hand, cache):
    app = opened(profile=cache["deep"], hand=hand)
    assert "set by hand" in app.error[0].value
    assert on_screen(app).min() > 0.5


def test_the_file_of_a_budget_per_linear_is_read_as_it_was_written(cache, tmp_path):
    here, path = load_(cache["linear"]), tmp_path / "allocation.json"
    found = allocate(AllocationRequest(base=Response(granularity="linear"), target=0.6), here)
    path.write_text(current_allocation.written(found, here), encoding="utf-8")
    again = allocate(grammar.from_file(path), here)
    assert np.array_equal(again.exact, found.exact) and again.request.target == pytest.approx(0.6)
