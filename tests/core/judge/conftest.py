"""What the tests of judging share."""

import pytest


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """datasets keeps its copies here, and a relative path begins here."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
