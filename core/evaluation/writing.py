"""What a model writes before and after pruning: the most tangible sign of what that has cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from core.evaluation.pruned import prune
from core.evaluation.resolving import check_prompt, point
from core.models import flops
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Progress, Report
from core.models.provenance import provenance, relative
from core.pruning.walk import restored
from core.specs.requests import WritingRequest, WritingSpec
from core.store.cache import Entry, Store
from core.texts.windows import Windows


def run(request: WritingRequest, loaded: Loaded, store: Store, shape: Outline, report: Report) -> Entry:
    """Let the dense model continue the prompt, prune it, and let it continue again.

    Raises:
        UserError: a prompt without room to continue, or a setting that cannot be.
        Cancelled: the report function said so.
    """
    calibration: dict[str, Windows] = {}
    pruned = point(request.setting, request, loaded, store, calibration).pruned
    spec = WritingSpec(
        model=loaded.spec, pruned=pruned, prompt=request.prompt, tokens=request.tokens,
        tokenizer=loaded.untold_tokenizer,
    )  # fmt: skip
    files = [path for each in calibration.values() for path in each.files]
    store.remember(request, spec, [*loaded.source.watched, *files])
    known = store.find(request)
    if known:
        return known
    total = flops.walk_flops(shape, request.calibration)

    def say(line: str, layers: int) -> None:
        report(Progress(line, int(total * layers / shape.layers / 1e6), int(total / 1e6)))

    say("the dense model writes", 0)
    dense = continuation(loaded, request.prompt, request.tokens)
    warnings: list[str] = []
    with restored(loaded):
        prune(loaded, pruned, calibration, lambda layer: say(f"pruned layer {layer}", layer), warnings.append)
        say("the pruned model writes", shape.layers)
        written = continuation(loaded, request.prompt, request.tokens)
    told = provenance(loaded, files, store, loaded.model.device) | {
        "setting": request.setting.name,
        "model_source": relative(request.model),
        "prompt": request.prompt,
        "dense": dense,
        "pruned": written,
        "warnings": warnings,
    }
    return store.entry(store.save(spec, None, told))


@torch.inference_mode()
def continuation(loaded: Loaded, prompt: str, tokens: int = 48) -> str:
    """The likeliest continuation of a prompt, token by token (greedy), without the prompt.

    Nothing that the model's own generation settings ask for, such as a repetition penalty, is applied: it would hide
    what pruning does. It ends early at an end token, and where the logits are not finite, for nothing is likeliest
    among them.

    Args:
        tokens: the most tokens to write.

    Raises:
        UserError: an empty prompt, or one that leaves no room for the continuation.
    """
    check_prompt(prompt, tokens, loaded)
    ids = loaded.tokenizer(prompt, return_tensors="pt")["input_ids"].to(loaded.model.device)
    with _no_settings_of_its_own(loaded.model):
        written = loaded.model.generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=_greedy(loaded, tokens)
        )
    kept = written.sequences[0, : ids.shape[1] + _finite(written.logits)]
    return _new_text(loaded, ids[0], kept)


def _greedy(loaded: Loaded, tokens: int) -> GenerationConfig:
    end = loaded.tokenizer.eos_token_id
    return GenerationConfig(
        max_new_tokens=tokens,
        do_sample=False,
        num_beams=1,
        eos_token_id=end,
        pad_token_id=0 if end is None else end,  # never used: there is one prompt
        return_dict_in_generate=True,
        output_logits=True,
    )


@contextmanager
def _no_settings_of_its_own(model: PreTrainedModel) -> Iterator[None]:
    """`generate` fills what a configuration leaves open from the model's own, which is put aside for a while."""
    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def _finite(logits: tuple[Tensor, ...]) -> int:
    """How many steps came before the first whose logits are not finite."""
    broken = [step for step, each in enumerate(logits) if not torch.isfinite(each).all()]
    return broken[0] if broken else len(logits)


def _new_text(loaded: Loaded, prompt: Tensor, whole: Tensor) -> str:
    """Decoded together with the prompt, for some tokenizers drop a leading space."""
    before, after = (loaded.tokenizer.decode(each, skip_special_tokens=True) for each in (prompt, whole))
    if after.startswith(before):
        return after[len(before) :]
    return loaded.tokenizer.decode(whole[len(prompt) :], skip_special_tokens=True)
