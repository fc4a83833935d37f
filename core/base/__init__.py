"""What all rooms stand on: errors, how numbers and paths are written, the escape of foreign text, the frozen spec.

What is offered here loads nothing but Python; `core.base.spec`, which loads pydantic and numpy, is named where it is
needed.
"""

from core.base.errors import Broken, Unreadable, UserError, brief, disk_full, gist, out_of_memory, shortage
from core.base.escape import UNSEEN, legible, plain
from core.base.formats import (
    GUESSING,
    capital,
    changed,
    digits,
    distinct,
    duration,
    either,
    gain,
    helped,
    listed,
    megabytes,
    model_name,
    per_cent,
    perplexity,
    pruned_before,
    ranges,
    ratio,
    runs,
    sentence,
    several,
    text_name,
    times,
)
from core.base.paths import MOST, PROJECT, exists, expanded, json_value, read_text, readable, resolved
