"""What the tests of the export share."""

import pytest

from core.export.card import Exported
from core.export.export import Contents, export
from core.models.loading import Loaded
from tests.core.export.examples import CARD, SPARSITY, pruned


@pytest.fixture
def llama() -> Loaded:
    return pruned("llama")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, Loaded, list[str]]:
    """An export, the model it is of, and what was told meanwhile; only to look at."""
    loaded, lines = pruned("llama"), []
    folder = tmp_path_factory.mktemp("written") / "out"
    return export(loaded, folder, CARD, Contents(SPARSITY), step=lines.append), loaded, lines
