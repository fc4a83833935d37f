"""Exported GGUF files read by llama.cpp: `python -m tests.bench.llama_cpp BINARIES TEXT FOLDER [CHUNKS [THREADS]]`.

BINARIES is a folder of llama.cpp's own `llama-perplexity`, `llama-bench`, `llama-quantize`, `llama-cli` and
`llama-server` (built as `tests.bench.kquants` says), TEXT a plain text file.
The bundled model is exported to FOLDER in several types, and once with the three layers left out that were measured to
harm least. Of each file it is said: whether llama.cpp makes the same tokens of the text; how far its predictions lie
from this product's on the same tokens, with the weights that the file holds (it rounds activations too, so they are not
equal); its own perplexity and KL divergence from the file in F16; its tokens a second; the bytes. This is the table
that Evidence shows. At last `llama-quantize` makes the mixed file anew of the F16 one and of the types that the export
tells it, and the bytes of all tensors are compared; and `llama-cli` and `llama-server`, on this machine's own loopback,
go on with a sentence by the mixed file. Tokens a second of writing are kept in the cache (that which
ABSORPTION_CACHE names), for this machine alone: Prune and `export --json` show them beside the bytes.
"""

import json
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import gguf
import numpy as np
import pandas as pd
import torch

from core.export import GGUF, TYPES, Card, Contents, export
from core.export.file_sizes import keep
from core.methods import QUANT_FORMATS, dropped_layers
from core.models import anatomy, bundled, loading, locate, skip_layer, without_layers
from core.plan import DENSE, allocate
from core.requests import read_allocation
from core.show.report import bench_file
from core.store import Store, profiles
from tests.bench.kquants import run

LENGTH = 512  # tokens of a window, of which llama.cpp judges the second half
LAYERS = "6e78df68bb8ecfc5"  # the committed profile that says which layers harm least when they are left out
RANGE = 16  # below the largest log probability: what lies lower is written as that
SENTENCE, PATIENCE = "The capital of France is", 60  # seconds
CARD = Card("The bundled model", "demo", "", None, {}, [])


def main(binaries, text, folder, chunks="8", threads="2"):
    """Print a line per file as it is known, and write the table of all."""
    tools, out, text = Path(binaries), Path(folder), Path(text)
    store = Store()
    loaded = loading.load(locate(str(bundled()), store))
    depth, width = len(loaded.layers), len(anatomy.prunable_linears(loaded.layers[0]))
    mixed = [["Q8_0" if layer in (0, depth - 1) else ("Q5_1", "Q4_0")[place > 3] for place in range(width)]
             for layer in range(depth)]  # fmt: skip
    asked = read_allocation("response objective=kl currency=layers:0.1")
    plan = allocate(asked, profiles.load(store, store.by_key(LAYERS))).sparsity
    files = {"F16": None, "Q8_0": None, "Q4_0": None, "mixed": mixed, "F16 with three layers left out": None}
    half, reference, rows = {}, None, []
    for name, types in files.items():
        if half:
            loaded.model.load_state_dict(half)
        gone = dropped_layers(plan) if name.endswith("left out") else []
        form = name if name in QUANT_FORMATS else "F16"
        holds = Contents(np.zeros(depth - len(gone)), np.ones(()), f"gguf:{form}", types)
        with without_layers(loaded.model, gone):
            exported = export.export(loaded, out / name, CARD, holds, overwrite=True)
        for layer in gone:
            skip_layer(loaded.layers[layer])
        half = half or {key: value.clone() for key, value in loaded.model.state_dict().items()}
        file, logs = out / name / GGUF, out / f"{name}.logs"
        judged = [tools / "llama-perplexity", "-m", file, "-c", LENGTH, "-b", LENGTH, "-t", threads]
        said = run(*judged, "-f", text, "--chunks", chunks, "--kl-divergence-base", logs)
        tokens, told_logs = read(logs)
        if reference is None:
            reference = logs
            ids = loaded.tokenizer(text.read_text())["input_ids"][: tokens.size]
            print(f"tokens: {np.sum(np.ravel(tokens) == ids):,} of {tokens.size:,} alike", flush=True)
        divergence = run(*judged, "--kl-divergence-base", reference, "--kl-divergence")
        told = speed(tools, file, threads)
        ours, same = agreement(loaded, tokens, told_logs)
        rows.append({
            "file": name, "bytes": exported.bytes, "perplexity by llama.cpp": number(r"PPL = ([0-9.]+)", said),
            "writes, tokens/s": told[-1]["avg_ts"], "reads, tokens/s": told[0]["avg_ts"],
            "KL from F16, nats": max(0.0, number(r"Mean +KLD: +([-0-9.]+)", divergence)),
            "KL of this product to llama.cpp, nats": ours, "same next token, %": 100 * same,
        })  # fmt: skip
        print(*(f"{head} {value}" for head, value in rows[-1].items()), sep="; ", flush=True)
        keep(told[-1], {"F16": DENSE}.get(name, name), loaded.source, store)
        if logs != reference:
            logs.unlink()
    pd.DataFrame(rows).to_csv(bench_file("llama_cpp"), index=False, float_format="%.6g")
    again = out / "again.gguf"
    run(tools / "llama-quantize", "--tensor-type-file", out / "mixed" / TYPES, "--token-embedding-type", "f16",
        out / "F16" / GGUF, again, "q4_0", threads)  # fmt: skip
    theirs, ours = (
        {each.name: each for each in gguf.GGUFReader(path).tensors} for path in (again, out / "mixed" / GGUF)
    )
    alike = sum(np.array_equal(ours[name].data.view(np.uint8), theirs[name].data.view(np.uint8)) for name in ours)
    named = "the same names" if theirs.keys() == ours.keys() else "other names"
    print(f"llama-quantize: {alike} of {len(ours)} tensors alike byte for byte, {named}")
    spoken(tools, out / "mixed" / GGUF, threads)


def spoken(tools, file, threads):
    """Print how `llama-cli` and `llama-server` answer and go on with a sentence; the server ends with it."""
    how = ["-m", file, "-t", threads, "--temp", 0]
    said = run(tools / "llama-cli", *how, "-p", SENTENCE, "-n", 16, "-st", "--simple-io")
    print("llama-cli:", said.partition(f"> {SENTENCE}")[2].partition("[ Prompt")[0].strip())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = ["--host", "127.0.0.1", "--port", port]
    with subprocess.Popen([*map(str, (tools / "llama-server", *how, *here))], stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(PATIENCE):
                with suppress(OSError):
                    body = json.dumps({"prompt": SENTENCE, "n_predict": 16, "temperature": 0}).encode()
                    with urlopen(Request(f"http://127.0.0.1:{port}/completion", body), timeout=PATIENCE) as answer:
                        print("llama-server:", json.load(answer)["content"].strip())
                        return
                time.sleep(1)
            raise SystemExit("llama-server does not answer")
        finally:
            server.terminate()


def number(pattern, said):
    """The last one that is said so."""
    return float(re.findall(pattern, said)[-1])


def read(path):
    """What `--kl-divergence-base` writes: tokens (windows, length), log probabilities of the judged positions.

    (windows, positions, vocabulary), 16 bits each, on a scale of its own for every position.
    """
    raw = path.read_bytes()
    length, vocabulary, windows = np.frombuffer(raw, np.int32, 3, 8)
    tokens = np.frombuffer(raw, np.int32, windows * length, 20).reshape(windows, length)
    row = 2 * ((vocabulary + 1) // 2) + 4
    rows = np.frombuffer(raw, np.uint16, offset=20 + tokens.nbytes).reshape(windows, length - 1 - length // 2, row)
    scale, least = np.moveaxis(rows[..., :4].copy().view(np.float32), -1, 0)
    return tokens, rows[..., 4 : 4 + vocabulary] * scale[..., None] + least[..., None]


@torch.inference_mode()
def agreement(loaded, tokens, told_logs):
    """Of this product's predictions on the same tokens: KL to llama.cpp's, nats; how many next tokens are alike."""
    first, starts = LENGTH // 2, loaded.tokenizer.bos_token_id
    adds = loaded.tokenizer("a")["input_ids"][0] == starts
    divergences, alike = [], []
    for window, logs in zip(tokens, told_logs, strict=True):
        ids = torch.tensor(window, dtype=torch.long)[None]
        if adds:
            ids[0, 0] = starts
        ours = loaded.model(input_ids=ids, use_cache=False).logits[0, first:-1].log_softmax(-1)
        theirs = torch.from_numpy(logs)
        mine, other = (each.clamp(each.amax(-1, keepdim=True) - RANGE).log_softmax(-1) for each in (ours, theirs))
        divergences.append((mine.exp() * (mine - other)).sum(-1))
        alike.append(ours.argmax(-1) == theirs.argmax(-1))
    return float(torch.cat(divergences).mean()), float(torch.cat(alike).double().mean())


def speed(tools, file, threads):
    """What `llama-bench` says of reading a prompt, and of writing."""
    said = run(tools / "llama-bench", "-m", file, "-t", threads, "-p", 128, "-n", 32, "-r", 3, "-o", "json")
    return json.JSONDecoder().raw_decode(said[said.index("[\n") :])[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
