"""One table of a study: its numbers are the measured ones, whichever way it is written."""

import csv
import io

import numpy as np
import pytest

from core.requests import read_recipe
from core.results import MEAN, rows_of, study_table
from tests.builders.profiles import study

OWL, CORRECTED, HALF = map(read_recipe, ("owl:0.7", "owl strength=0.02:0.7", "uniform:0.5"))
RESEEDED = OWL.replace(calibration_seed=1)


def made(store, asked=(OWL, RESEEDED, CORRECTED), **how):
    return study_table.study_table(rows_of(study(store, asked, **how)))


def test_a_row_is_a_setting_over_its_seeds_against_its_controls(empty):
    table = made(empty)
    assert table.numbers["allocation"] == ["dense", "Uniform", "OWL", "OWL, corrected 0.02"]
    _, uniform, owl, corrected = (row.one for row in table.rows)
    assert table.numbers["perplexity"] == [row.one.perplexity for row in table.rows]
    changes = [None, None, owl.against(uniform), corrected.against(uniform)]
    assert table.numbers["against uniform, %"] == [each and each.value for each in changes]
    assert table.numbers["uniform low"] == [each and each.windows.low for each in changes]
    assert table.numbers["against its base, %"] == [None, None, None, corrected.against(owl).value]
    assert table.numbers["calibration seeds"][1:] == ["0, 1", "0, 1", "0"]


def test_a_file_holds_every_number_and_nothing_empty(empty):
    table = made(empty)
    heads, *rows = csv.reader(io.StringIO(table.csv))
    assert heads == [*table.numbers] and "not a number" not in heads and len(rows) == 4
    assert [float(row[heads.index("perplexity")]) for row in rows] == table.numbers["perplexity"]
    broken = made(empty, (OWL,), broken={OWL: 2}).numbers
    assert np.isnan(broken["perplexity"][-1]) and "layer 2 " in broken["not a number"][-1]


def test_a_mean_of_tasks_is_over_those_that_every_row_has(empty):
    table = made(empty, tasks=("boolq", "rte"))
    accuracies = np.array([table.numbers[name] for name in ("boolq", "rte")])
    assert table.numbers[MEAN] == pytest.approx(accuracies.mean(0))
    [against] = [name for name in table.numbers if name.startswith(f"{MEAN}, ") and "±" not in name]
    assert table.numbers[against][2] == pytest.approx(accuracies.mean(0)[2] - accuracies.mean(0)[1])


def test_compared_rows_keep_only_what_differs(empty):
    pruned = study_table.study_table(made(empty).rows[1:]).differing.values
    assert "calibration seeds" in pruned and not {"study", "zeros", "pruner"} & pruned.keys()
    assert made(empty, (OWL, HALF)).differing.values["zeros"] == [None, 0.5, 0.7, 0.7]
