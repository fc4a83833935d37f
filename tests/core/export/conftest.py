"""What the tests of the export share."""

import pytest

from core.export.export import Contents, export
from tests.core.export.examples import CARD, SPARSITY, pruned


@pytest.fixture
def llama():
    return pruned("llama")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An export, the model it is of, and what was told meanwhile; only to look at."""
    loaded, lines = pruned("llama"), []
    folder = tmp_path_factory.mktemp("written") / "out"
    return export(loaded, folder, CARD, Contents(SPARSITY), step=lines.append), loaded, lines
