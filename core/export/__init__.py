"""A pruned model as a plain folder that loads anywhere. Nothing here needs torch; `core.export.folder` does."""

from __future__ import annotations

from core.export.card import Card, Exported, card_text, recipe_json, size_words
from core.export.licence import licence_of
from core.export.target import RECIPE, check_early, check_target, space_needed

__all__ = [
    "RECIPE",
    "Card",
    "Exported",
    "card_text",
    "check_early",
    "check_target",
    "licence_of",
    "recipe_json",
    "size_words",
    "space_needed",
]
