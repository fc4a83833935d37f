"""A pruned model as a plain folder that loads anywhere. Nothing here needs torch; `core.export.folder` does."""

from __future__ import annotations

from core.export.card import RECIPE, Card, card_text, licence_of, size_words
from core.export.target import HoldsExport, check_early, check_target, space_needed
