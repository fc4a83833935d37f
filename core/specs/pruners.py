"""The pruners by name."""

from __future__ import annotations

from typing import Literal

Pruner = Literal["magnitude", "wanda", "sparsegpt"]


PRUNER_LABELS = {"magnitude": "magnitude", "wanda": "Wanda", "sparsegpt": "SparseGPT"}
