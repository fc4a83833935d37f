"""The frame: every page opens with an empty and with a filled cache, and without the machine-learning libraries."""

import subprocess
import sys
from unittest.mock import Mock

import pytest

from core.base import UserError
from core.store import Store, delete
from pages.ui import places
from tests import synthetic
from tests.pages.opening import PAGES, ROOT, live, opened_at, paint

GUARD = "import sys; heavy = {'torch', 'transformers'} & set(sys.modules); sys.exit(f'loaded {heavy}' if heavy else 0)"


@pytest.mark.parametrize("name", PAGES)
def test_a_cache_that_is_a_file_is_one_sentence(name, empty_cache, monkeypatch):
    (empty_cache / "file").touch()
    monkeypatch.setenv("ABSORPTION_CACHE", str(empty_cache / "file"))
    app = opened_at(name)
    [said] = app.error
    assert "file is in the way, for a folder is needed there" in said.value


def test_a_result_that_cannot_be_shown_is_one_sentence(filled_cache, monkeypatch):
    monkeypatch.setattr("pages.ui.current_profile.heading", Mock(side_effect=UserError("the profile lies")))
    app = opened_at("absorption", profile=filled_cache["shallow"])
    assert [each.value for each in app.error] == ["The profile lies."]


@pytest.mark.parametrize("committed", [False, True])
def test_the_url_names_the_profile_unless_it_is_the_one_that_everybody_has(empty_cache, committed):
    root = empty_cache / "home" / "demo" if committed else empty_cache
    key = synthetic.save_small(root)
    app = opened_at("absorption")
    assert app.session_state["profile"] == key
    assert ("profile" in app.query_params) != committed


def test_the_beginning_of_a_key_is_enough(filled_cache):
    app = opened_at("learn", profile=filled_cache["shallow"][:8])
    assert app.session_state["profile"] == filled_cache["shallow"]
    assert "shallow model" in app.caption[0].value


def test_a_profile_deleted_elsewhere_is_missed_with_a_sentence(empty_cache):
    gone, stays = (synthetic.save_small(empty_cache, n) for n in (8, 12))
    app = opened_at("absorption", profile=gone)
    delete(Store(), Store().profile(gone))
    app.run()
    assert f"The profile {gone} was deleted; this is another one." in [each.value for each in app.warning]
    assert app.session_state["profile"] == stays


def test_a_profile_with_a_missing_unit_gets_one_sentence(empty_cache):
    spec = synthetic.profile_spec(5, 8, "quick")
    synthetic.save_profile(empty_cache, spec)
    broken = empty_cache / "perturbed" / f"{spec.unit(spec.measurements[0]).key}.safetensors"
    broken.write_bytes(broken.read_bytes()[:-9])
    app = opened_at("learn")
    assert "measure it again" in app.error[0].value


def test_no_page_loads_torch_or_transformers():
    modules = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "pages" / "ui").rglob("*.py"))]
    imports = [f"import {'.'.join(path.parts).removesuffix('.__init__')}" for path in modules]
    opened = "AppTest.from_file('pages/shell.py', default_timeout=120).run().switch_page('{}.py').run()"
    pages = [f"assert not {opened.format(page)}.exception" for page in PAGES]
    script = "\n".join([*imports, "from streamlit.testing.v1 import AppTest", *pages, GUARD])
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=240, check=True)


@pytest.mark.parametrize("page", ["learn", "absorption", "tune"])
def test_a_tab_draws_the_live_picture_first_and_the_whole_page_once_it_stands(page, cache):
    app = opened_at(page, painted=False)
    first, shown = live(app), len(app.main)
    assert first["waiting"] and shown < 12 and not app.get("plotly_chart")
    paint(app)
    app.run()
    assert live(app) == first and len(app.main) > shown, "what is alike is not sent again"
    again = app.switch_page("reference.py").run().switch_page(f"{places.opened(page, {})[0]}.py").run()
    assert not live(again)["waiting"]


@pytest.mark.parametrize("page", ["tune", "results"])
def test_a_model_that_cannot_be_pruned_gets_one_sentence(page, filled_cache):
    app = opened_at(page, profile=filled_cache["deep"])
    assert "not allocated for" in app.error[0].value
