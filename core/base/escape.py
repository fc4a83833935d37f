"""Escape untrusted text, so that nothing in it formats, links, loads or steers."""

import re

COLOURS = "red|orange|yellow|green|blue|violet|gr[ae]y|rainbow|primary|small|badge|material"  # of :red[x]
SIGNS = re.compile(
    rf"[\\`*<~$]|\](?=[(:\[])|(?<!\w)_|_(?!\w)|:[\w+-]+:(?![A-Za-z0-9])|:(?=(?:{COLOURS})\b|[\w-]+[\[{{])|&(?=[#\w])"
    r"|^[-+>#]|^\d+[.)](?=\s|$)"
)
JOINER = "\u2060"  # takes no room and breaks no line
# Streamlit reads addresses, icons and arrows in plain text too, where no backslash helps: a joiner goes in between.
AUTOLINKS = re.compile(
    r"(?<=:)(?=//|material/|streamlit:)|(?<=www)(?=\.)|(?<=@)(?=\S*\.)|(?<=[-<])(?=[->](?:\s|$))", re.IGNORECASE
)
# Control characters but for line breaks and tabs, marks that turn the direction of writing, and lone surrogates.
INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escape_markdown(words: object) -> str:
    """Escape text for a place that reads Markdown: it appears as it is, in one line."""
    line = AUTOLINKS.sub(JOINER, " ".join(legible(words).split()))
    return SIGNS.sub(lambda found: re.sub(r"[^\w\s]|_", r"\\\g<0>", found[0]), line)


def legible(words: object) -> str:
    """Escape text for a place that reads no markup: invisible characters appear by their number."""
    return INVISIBLE.sub(lambda sign: f"<U+{ord(sign[0]):04X}>", str(words))
