"""The foundation of all rooms: errors, number formats, paths, escaping of untrusted text, the frozen spec.

Names offered here load nothing but Python; only those of `core.base.spec` load pydantic and numpy, on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from core.base import access as access  # offered as it is: else its name would be looked for in the specs
from core.base.errors import (
    Broken,
    Unreadable,
    UserError,
    brief,
    disk_full,
    for_reader,
    gist,
    hide_folders,
    is_for_others,
    out_of_memory,
    shortage,
)
from core.base.formats import (
    GUESSING,
    INVISIBLE,
    JOINER,
    OUTDATED,
    capital,
    changed,
    digits,
    distinct,
    duration,
    either,
    escape_markdown,
    gain,
    legible,
    listed,
    megabytes,
    model_name,
    per_cent,
    perplexity,
    pruning_troubles,
    ranges,
    ratio,
    runs,
    sentence,
    several,
    text_name,
    times,
    unique,
)
from core.base.paths import (
    MAX_BYTES,
    PROJECT,
    Fields,
    exists,
    expanded,
    json_value,
    made,
    read_text,
    readable,
    resolved,
    texts_in,
    without_folders,
)
from core.base.profile_names import FILE, Described

if TYPE_CHECKING:
    from core.base.spec import (
        Array,
        Estimate,
        Flags,
        Positions,
        Spec,
        View,
        checked,
        digest,
        frozen,
        key_of,
        look_up,
        number,
        optional_field,
        with_changes,
        word,
    )


def __getattr__(name: str) -> Any:
    """A name of `core.base.spec`, the only other module that nobody has loaded yet."""
    return getattr(import_module("core.base.spec"), name)
