"""Models: their files, texts and tokens, and the layers that they are made of."""

from core import lazily

__getattr__ = lazily(
    __name__,
    anatomy="decoder_layers is_prunable",
    layer_parts="edited find_part",
    loading="Loaded load tokenizer_hash",
    losses="evaluate reference windows_per_batch",
    machine="container_limits",
    patching="library_errors patched",
    placement="OffloadedWeights checkpoint_pieces is_streamed offload offloaded stream weights_on_device",
    progress="Cancelled Progress ProgressTracker silent",
    replay="CACHED by_tokens record skip_layer stream_of tail",
    saving="save without_layers",
    sources="Source bundled locate read_shape",
    texts="Text",
    weights="read_by_layers",
    windows="Windows",
)
