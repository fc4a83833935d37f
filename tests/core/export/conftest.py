"""What the tests of the export share."""

import pytest

from tests.core.export.examples import pruned, write


@pytest.fixture
def llama():
    return pruned("llama")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An export, the model it is of, and what was told meanwhile; only to look at."""
    loaded, lines = pruned("llama"), []
    return write(loaded, tmp_path_factory.mktemp("written"), step=lines.append), loaded, lines
