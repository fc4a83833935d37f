"""Spec to file: results and their arrays, parts of them, profiles read back."""

from core.store.cache import Store, largest_committed
from core.store.entries import HOME, KINDS, SUFFIX, UNITS, VIEW_KINDS, Entry, content_hash, read, write_entry
from core.store.files import (
    HOST,
    TEMPORARY,
    Corrupt,
    abandoned,
    changed,
    content,
    discard,
    flush,
    patiently,
    pretty,
    readable,
    temporary_folder,
    temporary_path,
    temporary_prefix,
    write_file,
)
from core.store.notes import combined, file_hash, once_per_state, read_note, remembered, sha256, stamp, write_note
from core.store.parts import (
    TRAINING,
    delete,
    distillation_course,
    distillation_folder,
    finished,
    missing,
    partial,
    sweep,
)
from core.store.profiles import OtherCheckpoint, Profile, load
from core.store.results import (
    Activation,
    Array,
    Cumulative,
    Difference,
    Floor,
    Losses,
    Merged,
    OutsideSketch,
    Perturbed,
    Removal,
    Scores,
    Seeds,
    Sketch,
    TensorSketch,
    Weights,
    ZeroShot,
    axes_of,
    count,
    encode,
)
from core.store.scenes import (
    Chunk,
    Lens,
    NextWord,
    Scene,
    SceneRow,
    WrittenToken,
    examples,
    lenses,
    rows,
    talks,
    written,
)
