"""Text that a stranger may have written, as a person reads it: nothing in it formats, links, loads or steers."""

import re

COLOURS = "red|orange|yellow|green|blue|violet|gr[ae]y|rainbow|primary|small|badge|material"  # of :red[x]
SIGNS = re.compile(
    rf"[\\`*<~$]|\](?=[(:\[])|(?<!\w)_|_(?!\w)|:[\w+-]+:(?![A-Za-z0-9])|:(?=(?:{COLOURS})\b|[\w-]+[\[{{])|&(?=[#\w])"
    r"|^[-+>#]|^\d+[.)](?=\s|$)"
)
JOINER = "\u2060"  # takes no room and breaks no line
# What Streamlit reads in plain text too, where no backslash helps: addresses, icons, arrows. A joiner goes in between.
AUTOLINKS = re.compile(
    r"(?<=:)(?=//|material/|streamlit:)|(?<=www)(?=\.)|(?<=@)(?=\S*\.)|(?<=[-<])(?=[->](?:\s|$))", re.IGNORECASE
)
# Control signs but for line breaks and tabs, what turns the direction of writing, and halves of a sign.
INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escape_markdown(words: object) -> str:
    """Words with names in them for a place that reads Markdown: shown as they are, in one line."""
    line = AUTOLINKS.sub(JOINER, " ".join(legible(words).split()))
    return SIGNS.sub(lambda found: re.sub(r"[^\w\s]|_", r"\\\g<0>", found[0]), line)


def legible(words: object) -> str:
    """The same for a place that reads no markup: what cannot be seen is shown by its number."""
    return INVISIBLE.sub(lambda sign: f"<U+{ord(sign[0]):04X}>", str(words))
