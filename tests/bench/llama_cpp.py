"""Exported GGUF files read by llama.cpp: `python -m tests.bench.llama_cpp BINARIES TEXT FOLDER [CHUNKS [THREADS]]`.

BINARIES is a folder of llama.cpp's own `llama-perplexity`, `llama-bench` and `llama-quantize`, TEXT a plain text file.
The bundled model is exported to FOLDER in several types, and of each file it is said: whether llama.cpp makes the same
tokens of the text; how far its predictions lie from this product's on the same tokens, with the weights that the file
holds (it rounds activations too, so they are not equal); its own perplexity and KL divergence from the file in F16; its
tokens a second; the bytes. At last `llama-quantize` makes the mixed file anew of the F16 one and of the types that the
export tells it, and the bytes of all tensors are compared. Tokens a second of writing are kept in the cache (that which
ABSORPTION_CACHE names), for this machine alone: Prune and `export --json` show them beside the bytes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from core.export.card import GGUF, Card
from core.export.folder import Contents, export
from core.export.gguf_file import TYPES
from core.models import anatomy, loading
from core.models.loading import Loaded
from core.models.sources import Source, bundled, locate
from core.plan.sizes import DENSE
from core.store.cache import Store
from core.store.files import HOST, sealed, write_file

LENGTH = 512  # tokens of a window, of which llama.cpp judges the second half
RANGE = 16  # below the largest log probability: what lies lower is written as that
CARD = Card("The bundled model", "demo", "", None, {}, [])


class Base(NamedTuple):
    """What `--kl-divergence-base` writes: the tokens, and the log probabilities of the judged positions."""

    tokens: NDArray[np.int32]  # (windows, length)
    logs: NDArray[np.float32]  # (windows, positions, vocabulary)


def main(binaries: str, text: str, folder: str, chunks: str = "8", threads: str = "2") -> None:
    """Print a line per file as it is known."""
    tools, out, text = Path(binaries), Path(folder), Path(text)
    store, rates = Store(), {}
    loaded = loading.load(locate(str(bundled()), store))
    depth, width = len(loaded.layers), len(anatomy.prunable(loaded.layers[0]))
    mixed = [["Q8_0" if layer in (0, depth - 1) else ("Q5_1", "Q4_0")[place > 3] for place in range(width)]
             for layer in range(depth)]  # fmt: skip
    half, reference = {}, None
    for name, types in {"F16": None, "Q8_0": None, "Q4_0": None, "mixed": mixed}.items():
        if half:
            loaded.model.load_state_dict(half)
        holds = Contents(np.zeros(depth), np.ones(()), f"gguf:{'F16' if types else name}", types)
        exported = export(loaded, out / name, CARD, holds, overwrite=True)
        half = half or {key: value.clone() for key, value in loaded.model.state_dict().items()}
        file, logs = out / name / GGUF, out / f"{name}.logs"
        judged = [tools / "llama-perplexity", "-m", file, "-c", LENGTH, "-b", LENGTH, "-t", threads]
        said = run(*judged, "-f", text, "--chunks", chunks, "--kl-divergence-base", logs)
        found = read(logs)
        if reference is None:
            reference = logs
            ids = loaded.tokenizer(text.read_text())["input_ids"][: found.tokens.size]
            print(f"tokens: {np.sum(np.ravel(found.tokens) == ids):,} of {found.tokens.size:,} alike", flush=True)
        divergence = run(*judged, "--kl-divergence-base", reference, "--kl-divergence")
        told = speed(tools, file, threads)
        rates[{"F16": DENSE}.get(name, name)] = told[-1]["avg_ts"]
        print(f"{name}: {exported.bytes:,} bytes; {agreement(loaded, found)}; llama.cpp: perplexity "
              f"{number(r'PPL = ([0-9.]+)', said)}, KL from F16 {number(r'Mean +KLD: +([-0-9.]+)', divergence)}; "
              f"{', '.join(map(pace, told))}", flush=True)  # fmt: skip
        keep(rates, told[-1], loaded.source, store)
        if logs != reference:
            logs.unlink()
    again = out / "again.gguf"
    run(tools / "llama-quantize", "--tensor-type-file", out / "mixed" / TYPES, "--token-embedding-type", "f16",
        out / "F16" / GGUF, again, "q4_0", threads)  # fmt: skip
    theirs, ours = (
        {each.name: each for each in gguf.GGUFReader(path).tensors} for path in (again, out / "mixed" / GGUF)
    )
    alike = sum(np.array_equal(ours[name].data.view(np.uint8), theirs[name].data.view(np.uint8)) for name in ours)
    named = "the same names" if theirs.keys() == ours.keys() else "other names"
    print(f"llama-quantize: {alike} of {len(ours)} tensors alike byte for byte, {named}")


def run(*command: object) -> str:
    """What a command says, on both streams."""
    return subprocess.run(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout


def number(pattern: str, said: str) -> str:
    """The last one that is said so."""
    return re.findall(pattern, said)[-1]


def read(path: Path) -> Base:
    """A file of log probabilities: 16 bits each, on a scale of its own for every position."""
    raw = path.read_bytes()
    length, vocabulary, windows = np.frombuffer(raw, np.int32, 3, 8)
    tokens = np.frombuffer(raw, np.int32, windows * length, 20).reshape(windows, length)
    row = 2 * ((vocabulary + 1) // 2) + 4
    rows = np.frombuffer(raw, np.uint16, offset=20 + tokens.nbytes).reshape(windows, length - 1 - length // 2, row)
    scale, least = np.moveaxis(rows[..., :4].copy().view(np.float32), -1, 0)
    return Base(tokens, rows[..., 4 : 4 + vocabulary] * scale[..., None] + least[..., None])


@torch.inference_mode()
def agreement(loaded: Loaded, found: Base) -> str:
    """Its predictions beside those of this product on the same tokens, in words."""
    first, starts = LENGTH // 2, loaded.tokenizer.bos_token_id
    adds = loaded.tokenizer("a")["input_ids"][0] == starts
    divergences, losses, alike = [], [], []
    for window, logs in zip(found.tokens, found.logs, strict=True):
        ids = torch.tensor(window, dtype=torch.long)[None]
        if adds:
            ids[0, 0] = starts
        ours = loaded.model(input_ids=ids, use_cache=False).logits[0, first:-1].log_softmax(-1)
        theirs = torch.from_numpy(logs)
        mine, other = (each.clamp(each.amax(-1, keepdim=True) - RANGE).log_softmax(-1) for each in (ours, theirs))
        divergences.append((mine.exp() * (mine - other)).sum(-1))
        losses.append(-ours.gather(1, ids[0, first + 1 :, None]))
        alike.append(ours.argmax(-1) == theirs.argmax(-1))
    divergence, same = torch.cat(divergences), torch.cat(alike).double().mean()
    return (
        f"this product: perplexity {torch.cat(losses).mean().exp():.4f}, KL to llama.cpp {divergence.mean():.6f} "
        f"(largest {divergence.max():.4f}), same next token {same:.2%}"
    )


def speed(tools: Path, file: Path, threads: str) -> list[dict[str, Any]]:
    """What `llama-bench` says of reading a prompt, and of writing."""
    said = run(tools / "llama-bench", "-m", file, "-t", threads, "-p", 128, "-n", 32, "-r", 3, "-o", "json")
    return json.JSONDecoder().raw_decode(said[said.index("[\n") :])[0]


def pace(row: dict[str, Any]) -> str:
    """One of these in words."""
    doing = "reads" if row["n_prompt"] else "writes"
    return f"{doing} {row['avg_ts']:.1f} ± {row['stddev_ts']:.1f} tokens/s"


def keep(forms: dict[str, float], row: dict[str, Any], source: Source, store: Store) -> None:
    """Keep tokens a second by form where the product looks, with the machine and what `llama-bench` says of itself."""
    told = {name: row[name] for name in ("build_commit", "build_number", "cpu_info", "n_threads", "n_gen")}
    told |= {"tool": "llama-bench", "machine": HOST, "model": source.label, "forms": forms}
    write_file(store.root / "rates" / f"llama.cpp-{HOST}-{source.fingerprint}.json", sealed(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
