"""What the replay asks for holds every method of the product and everything that is committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.probe import product, reports
from tests.replay.probe.asked import ASKED, options
from tests.replay.probe.plain import numbers, plain

COMMITTED = Path(__file__).resolve().parents[2] / "cache" / "demo"


def asked(name: str, otherwise: str) -> set[str]:
    """The values of an option over bases and variations."""
    rows = [*ASKED["allocation"]["bases"].values(), *ASKED["allocation"]["variations"].values()]
    return {row.get(name, otherwise) for row in rows}


def test_every_allocator_and_control_is_asked_for() -> None:
    bases = {row["base"] for row in ASKED["allocation"]["bases"].values()}
    assert bases == set(product.ALLOCATORS)
    assert asked("control", "none") == set(product.CONTROLS)
    assert len(ASKED["allocation"]["targets"]) == 4
    assert ASKED["allocation"]["whole"] in ASKED["profiles"]


def test_every_pruner_prunes() -> None:
    assert {row.get("pruner", "wanda") for row in ASKED["prune"].values()} == set(product.PRUNERS)


@pytest.mark.parametrize(("names", "kind"), [("profiles", "profile"), ("studies", "study")])
def test_everything_committed_is_asked_for(names: str, kind: str) -> None:
    assert sorted(ASKED[names]) == sorted(path.name for path in (COMMITTED / kind).iterdir())


def test_options_are_words_of_a_command() -> None:
    given = {"lam": 0.08, "max_loss": "20%", "unclipped": True}
    assert list(options(given)) == ["--lam", "0.08", "--max-loss", "20%", "--unclipped"]


def test_a_refusal_is_told_from_an_answer() -> None:
    assert product.ask("allocate", "--allocation", "owl m=2.3:0.7") is None
    assert product.ask("allocate", "--allocation", "uniform:0.6")["budget"] == pytest.approx(0.6)


def test_numbers_are_read_out_of_a_cell() -> None:
    assert numbers("-39 % [−43, -34]") == [-39, -43, -34]
    assert numbers("1,234 ± 0.5, 1e-07") == [1234, 0.5, 1e-7]
    assert plain({1: (float("inf"),)}) == {"1": [float("inf")]}


def test_tables_of_a_report_are_named_by_their_chart() -> None:
    table = "<table><thead><tr><th>layer</th></tr></thead><tbody><tr><td>0</td><td>a &amp; b</td></tr></tbody></table>"
    chart = f'<figure><div class="chart" data-name="gains"></div>{table}</figure>'
    assert reports.tables(f"{chart}{table}<table><tr><th>key</th></tr></table>") == [
        ("gains-1", [["0", "a & b"]]),
        ("table-1", [["0", "a & b"]]),
    ]
