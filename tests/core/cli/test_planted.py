"""Faults planted in quantised checkpoints of two formats: `compare` has to name nearly all of them first."""

import shlex

import numpy as np
import pytest

from core.base import per_cent
from tests import faulty, tiny

FEW = ("--sequences", 8, "--length", 32, "--device", "cpu", "--json")
SAMPLE = ("a scale halved", "a type too low", "RoPE scaling lost", "a norm rounded")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    faulty.scaled().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(params=["gguf", "compressed-tensors"])
def named(request, reference, say, text, tmp_path):
    """A function: what is named first of the checkpoint with a planted fault, beside what was planted."""

    def first(fault):
        planted, change = faulty.PLANTED[fault]
        other = faulty.quantised(tmp_path / fault.replace("'", ""), change, request.param != "gguf")
        found = say("compare", reference, other, "--text", text, *FEW).json
        if found["settings"]:
            return planted, next(iter(found["settings"])), found
        module = next(each for each in found["suspects"])
        full = f"model.layers.{module['layer']}.{module['module']}" if module["layer"] is not None else module["module"]
        return planted, f"{full}.weight", found

    return first


@pytest.mark.parametrize("fault", SAMPLE)
def test_a_planted_fault_is_named_first(fault, named):
    planted, first, found = named(fault)
    assert first == planted
    share = found["suspects"][0]["share"]
    assert sum(each["share"] for each in found["suspects"]) == pytest.approx(1)
    assert found["settings"] or f"{per_cent(share)} of the divergence" in found["worst"][0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nearly_all_planted_faults_are_named_first(named):
    results = {fault: named(fault)[:2] for fault in faulty.PLANTED}
    missed = {fault: first for fault, (planted, first) in results.items() if first != planted}
    assert len(results) == 20 and len(missed) <= 1, missed


@pytest.mark.parametrize("packed", [False, True])
def test_a_fixed_plan_is_exported_by_the_line_that_is_printed(packed, say, text, tmp_path):
    reference, other = tiny.folder("llama"), faulty.quantised(tmp_path / "other", "type", packed, faulty.PLAIN)
    said = say("compare", reference, other, "--text", text, *FEW[:-1], "--plan", tmp_path / "fixed.json")
    [printed] = [each for each in said.out.splitlines() if each.startswith("Export the fixed plan: ")]
    command = printed.partition("python -m core ")[2].replace("FOLDER", str(tmp_path / "fixed"))
    small = ("--evaluate", text, "--calibration", text, "--sequences", 2, "--length", 16, "--device", "cpu", "--json")
    exported = say(*shlex.split(command), *small).json
    assert exported["export"] and len({form for row in exported["linear_forms"] for form in row}) > 1
    fixed = tmp_path / "fixed" / ("" if packed else "model.gguf")
    answers = (say("compare", reference, each, "--text", text, *FEW).json for each in (other, fixed))
    before, after = (each["whole"]["kl"] for each in answers)
    assert after < 0.9 * before


def test_every_linear_is_measured_alone_on_request(reference, say, text, tmp_path):
    other = faulty.quantised(tmp_path / "other", faulty.PLANTED["a scale halved"][1])
    asked = "compare", reference, other, "--text", text, *FEW
    sketched, exact = say(*asked).json, say(*asked, "--exact").json
    alone = [{each["name"]: each["alone"] for each in one["suspects"]} for one in (sketched, exact)]
    assert alone[0].keys() == alone[1].keys() and exact["other"] == sketched["other"]
    same = [name for name in alone[0] if alone[0][name] == alone[1][name]]
    assert all("norm" in name or name in ("token_embd", "output") for name in same)
    small = [name for name, kl in alone[1].items() if name not in same and kl < 0.01]
    assert np.median([alone[0][name] / alone[1][name] for name in small]) == pytest.approx(1, rel=0.3)
