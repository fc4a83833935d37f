"""How much of a head's lost effect the model gives back: `python -m tests.bench.self_repair [FILE OF GEMMA]`.

As in arXiv 2402.15390: one attention head at a time takes its output from another sequence (resample ablation), and of
the tokens with the largest direct effect on the logit of the right next token, 2 %, the change of that logit is split:

    direct effect   what the head alone wrote, read off at the end with the clean final norm's scale
    final norm      the change by the new scale of the final norm
    later layers    all else: what the layers after the head answered

Heads of the second half of the layers: earlier ones write hardly anything that is read off directly.
"""

import sys

import pandas as pd
import torch

from core.models import load, locate, windows
from core.requests import WindowRequest
from core.show.report import PROFILES, bench_file
from core.store import HOME, Store

TEXT = {"source": "demo", "sequences": 16, "length": 64}
TOP = 0.02  # of a head's tokens
COLUMNS = ["model", "sequence", "direct effect", "final norm", "later layers"]


class Readout:
    """The logit of the right next token, less the mean logit, of streams after the last layer."""

    def __init__(self, loaded, ids):
        head = loaded.model.get_output_embeddings().weight
        self.norm, self.right = loaded.model.model.norm, head[ids[:, 1:]] - head.mean(0)
        self.epsilon = getattr(self.norm, "variance_epsilon", None) or self.norm.eps

    def scale(self, stream):
        """(sequences, tokens) length that the norm divides by."""
        return (stream.square().mean(-1) + self.epsilon).sqrt()

    def __call__(self, stream, scale):
        """(sequences, tokens - 1), with a norm of the given scale."""
        linear = self.norm(stream) * (self.scale(stream) / scale)[..., None]
        return (linear[:, :-1] * self.right).sum(-1)


def split(loaded, calls, at, head, readout):
    """(3, sequences, tokens - 2): direct effect, what norm and later layers give back; not at the first token."""
    layer, width = loaded.layers[at], loaded.config.get_text_config().head_dim
    part = slice(head * width, (head + 1) * width)
    before_mlp = getattr(layer, "pre_feedforward_layernorm", layer.post_attention_layernorm)
    after = []  # the stream between attention and MLP

    def resampled(_, args):
        found = args[0].clone()
        found[..., part] = args[0][..., part].roll(1, 0)
        return (found,)

    kept = before_mlp.register_forward_pre_hook(lambda _, args: after.append(args[0]))
    calls[at](calls[at].entry)
    changed = layer.self_attn.o_proj.register_forward_pre_hook(resampled)
    stream = calls[at](calls[at].entry)
    for each in (kept, changed):
        each.remove()
    for call in calls[at + 1 :]:
        stream = call(stream)
    clean = calls[-1].exit
    scale = readout.scale(clean)
    written = after[0] - after[1]
    direct = readout(clean, scale) - readout(clean - written, scale)
    frozen, moved = readout(stream, scale), readout(stream, readout.scale(stream))
    return torch.stack([direct, moved - frozen, frozen - readout(clean, scale) + direct])[..., 1:]


@torch.inference_mode()
def measure(called, model, bos):
    """A row per sequence, summed over heads and their tokens of the largest direct effect."""
    loaded = load(locate(model, Store(HOME)))
    text = windows.windows(WindowRequest(**TEXT, bos=bos), loaded)
    calls, readout = loaded.record(text.tokens), Readout(loaded, text.tokens)
    sums = torch.zeros(3, TEXT["sequences"])
    for at in range(len(calls) // 2, len(calls)):
        for head in range(loaded.config.get_text_config().num_attention_heads):
            parts = split(loaded, calls, at, head, readout)
            least = parts[0].flatten().topk(round(TOP * parts[0].numel())).values[-1]
            sums += (parts * (parts[0] >= least)).sum(-1)
        print(f"{called}: layer {at}", file=sys.stderr, flush=True)
    rows = [(called, index, *map(float, each)) for index, each in enumerate(sums.T)]
    return pd.DataFrame(rows, columns=COLUMNS)


def main(gemma):
    first, second = PROFILES
    found = pd.concat([measure(first, "demo", "protocol"), measure(second, gemma, "every")])
    found.to_csv(bench_file("self_repair"), index=False, float_format="%.6g", lineterminator="\n")
    print(found.to_string())


if __name__ == "__main__":
    main(*sys.argv[1:] or ["data/gemma-3-270m-q4_k_m.gguf"])
