"""One journey on the bundled model: measure on the command line, and find it again."""

import json

import numpy as np
import pytest

from core.cli import main

pytestmark = pytest.mark.bundled
NAMES = ["gaussian:0.3", "skip"]


def said(capsys, *arguments):
    assert main(list(arguments)) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("bundled")  # whose converted copy is quick to read
def test_measure_then_show(bundled_store, capsys):
    cache = bundled_store.root
    asked = [part for name in NAMES for part in ("--perturb", name)]
    options = ["--sequences", "2", "--length", "16", "--cache", str(cache), "--json"]
    measured = said(capsys, "measure", *asked, *options)
    assert measured["layers"] == 30
    assert measured["seconds"] > 0
    assert measured["engine"] == "wavefront"

    shown = said(capsys, "show", measured["key"], "--cache", str(cache), "--json")
    assert [row["name"] for row in shown["perturbations"]] == NAMES
    noise, skipped = shown["perturbations"]
    assert noise["gains"][-1] == pytest.approx(1)
    assert noise["verdict"][0].startswith("undecided (n = 2)")
    assert np.allclose(noise["drift"], 0.3, rtol=1e-3)
    assert all(0.2 < gain < 2 for gain in noise["gains"])
    assert max(skipped["kl"]) > 10 * np.median(skipped["kl"])  # some layer hurts far more than others


def test_the_committed_demo_holds_what_it_promises(capsys):
    shown = said(capsys, "show", "demo", "--json")
    names = [row["name"] for row in shown["perturbations"]]
    assert {"gaussian:0.3", "gaussian:0.3@all", "gaussian:0.01", "covariance:0.3", "skip"} <= set(names)
    assert {f"residual:wanda:{s}" for s in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)} <= set(names)
    gains = {row["name"]: np.array(row["gains"]) for row in shown["perturbations"]}
    assert (gains["gaussian:0.3"][11:21] < 1).all() and (gains["gaussian:0.3@all"][11:21] > 1).all()


def test_where_tests_are_spread_by_group_those_of_the_model_are_one(request):
    grouped = request.config.getoption("loadgroup", default=False)  # set in a process of xdist alone
    assert request.node.nodeid.endswith("@bundled") == grouped
