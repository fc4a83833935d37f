"""Models: their files, texts and tokens, and the layers that they are made of."""

from core import lazily

__getattr__ = lazily(
    __name__,
    anatomy="Linear checkpoint_pieces decoder_layers is_prunable prunable_linears",
    hub="NotHere",
    layer_parts="Edit edited find_part heads",
    loading="Loaded Reader load load_tokenizer tokenizer_hash",
    losses="evaluate reference windows_per_batch",
    machine="BYTES WALK_BATCH container_limits device_named emulates_bfloat16",
    model_shape="NUMBERED tensor_shapes",
    patching="library_errors patched",
    placement=(
        "OffloadedWeights checkpoint_tensors device free_memory is_streamed offload "
        "offloaded restore stream walk weights_on_device"
    ),
    progress="READING REPORT Cancelled Progress ProgressTracker Report Step silent",
    provenance="Formats",
    replay=(
        "CACHED REPLAY_TOLERANCE Call Layers Tensors by_tokens call_from_hook continuation_options entered "
        "entry_stream passed_over record recorded replay_error restore_layer skip_layer stream_of tail"
    ),
    saving="FOREIGN fastest_source save without_layers",
    sources="HUB_ID Source bundled count_numbers local_models locate read_shape",
    texts="Text",
    weights="read_by_layers",
    windows="Windows tokens",
)
