"""`compare` on tiny folders: a planted fault is named first, and what cannot be compared is refused in a sentence."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import gguf_files, tiny
from tests.faulty import FAULTS, rewritten, rounded

LAYER, TENSOR = 2, "mlp.up_proj.weight"
FEW = ("--sequences", 8, "--length", 16, "--device", "cpu", "--json")


def planted(fault, everywhere=lambda each: each):
    """A fault in one tensor, and something done to all matrices of the layers before."""

    def change(name, each):
        each = everywhere(each) if ".layers." in name and each.ndim > 1 else each
        return FAULTS[fault](each) if name.endswith(f".{LAYER}.{TENSOR}") else each

    return change


@pytest.mark.parametrize("base", ["none", "4 bits"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named_first(fault, base, say, text, tmp_path):
    change = [] if base == "none" else [lambda each: rounded(each, 4)]
    other = rewritten(tmp_path / "other", planted(fault, *change))
    found = say("compare", tiny.folder("llama"), other, "--text", text, *FEW).json
    first, *rest = found["ranking"]
    assert (first["layer"], first["tensor"], first["stands_out"]) == (LAYER, TENSOR, True)
    assert not any(each["stands_out"] for each in rest)
    assert found["findings"][0].startswith(f"Layer {LAYER} stands out: its {TENSOR} differs by ")
    assert found["other"] == "other" and sorted(each["layer"] for each in found["ranking"]) == list(range(tiny.LAYERS))
    if base == "none":
        assert first["kl"] == pytest.approx(
            np.mean(np.array(found["whole"]["tokens"]["kl"])[:, ::4]), rel=1e-2, abs=1e-6
        )
        assert found["whole"]["drift"][:LAYER] == [0, 0] and first["usual_error"] == 0
        assert not any(each["kl"] for each in rest)


@pytest.mark.parametrize(("family", "kind"), [("llama", "Q4_0"), ("gemma2", "Q8_0")])
def test_a_gguf_quantisation_differs_by_what_was_rounded(family, kind, say, text, tmp_path):
    """A file of words that the library adds, and of norms that are rounded on the way."""
    meant, own = gguf_files.write(tmp_path / "other.gguf", family, kind), tiny.built(family).state_dict()
    found = say("compare", tiny.folder(family), tmp_path / "other.gguf", "--text", text, *FEW).json
    weights = found["weights"]
    for layer, rows in enumerate(zip(weights["error"], weights["scale"], strict=True)):
        for tensor, *numbers in zip(weights["tensors"], *rows, strict=True):
            ours, theirs = (each[f"model.layers.{layer}.{tensor}"] for each in (own, meant))
            ours = ours.double().numpy()
            size = np.linalg.norm(ours)
            expected = np.linalg.norm(theirs - ours) / size, (theirs * ours).sum() / size**2
            assert numbers == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert max(weights["outside"].values()) < 1e-6
    assert found["findings"][0].startswith("No layer's weights stand out.")
    assert found["whole"]["kl"] > 0 and found["whole"]["drift"][-1] > 0


def test_a_comparison_is_a_profile_that_is_found_again_and_reported_without_paths(say, text, tmp_path):
    other = rewritten(tmp_path / "other", planted("scale"))
    asked = "compare", tiny.folder("llama")
    key = say(*asked, other, "--text", text, *FEW).json["key"]
    told = say("show", key, "--json").json
    [row] = told["perturbations"]
    assert row["name"].startswith("checkpoint:") and str(other) not in row["name"]
    assert list(told["provenance"]["checkpoints"].values()) == [str(other)]
    moved = shutil.move(other, tmp_path / "elsewhere")  # the same files under another name are the same checkpoint
    assert say(*asked, moved, "--text", text, *FEW).json["key"] == key
    report = say("report", key, "--out", tmp_path / "report.html", "--json").json
    page = Path(report["file"]).read_text(encoding="utf-8")
    assert f"Layer {LAYER} stands out" in page and str(tmp_path) not in page


@pytest.mark.parametrize(
    ("where", "said"), [("layers.3.mlp.up_proj", "Layer 3 stands out"), ("embed_tokens", "Every layer is equal")]
)
def test_a_change_that_no_gain_tells_of_is_found_too(where, said, say, text, tmp_path):
    """After the last layer and outside the layers there is no drift to follow from layer to layer."""
    other = rewritten(tmp_path / "other", lambda name, each: 1.1 * each if where in name else each)
    found = say("compare", tiny.folder("llama"), other, "--text", text, *FEW).json
    assert found["findings"][0].startswith(said)


def test_what_cannot_be_compared_is_refused_before_anything_is_measured(say, text, tmp_path):
    said = say("compare", tiny.folder("llama"), tiny.folder("qwen2"), "--text", text, *FEW)
    said.refused("Qwen2ForCausalLM", "LlamaForCausalLM")
    assert not list((tmp_path / "cache").glob("profile/*"))
