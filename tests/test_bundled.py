"""The committed results of the bundled model, and the process that its tests share."""

import json

import numpy as np
import pytest

from core.cli import main

pytestmark = pytest.mark.bundled


def test_the_committed_demo_holds_what_it_promises(capsys):
    assert main(["show", "demo", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["perturbations"]
    gains = {row["name"]: np.array(row["gains"]) for row in rows}
    assert gains.keys() >= {"gaussian:0.3", "gaussian:0.3@all", "gaussian:0.01", "covariance:0.3", "skip"}
    assert gains.keys() >= {f"residual:wanda:{s}" for s in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)}
    assert (gains["gaussian:0.3"][11:21] < 1).all() and (gains["gaussian:0.3@all"][11:21] > 1).all()


def test_where_tests_are_spread_by_group_those_of_the_model_are_one(request):
    grouped = request.config.getoption("loadgroup", default=False)  # set in a process of xdist alone
    assert request.node.nodeid.endswith("@bundled") == grouped
