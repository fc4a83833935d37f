"""The frame: every page opens with an empty and with a filled cache, and without the machine-learning libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.lab.question import OPENING
from tests import synthetic

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("lab", "learn", "measure", "absorption", "allocate", "prune", "runs", "help", "glossary")
GUARD = "import sys; heavy = {'torch', 'transformers'} & set(sys.modules); sys.exit(f'loaded {heavy}' if heavy else 0)"


def shell(painted: bool = True) -> AppTest:
    """The app at its landing page, in a tab whose browser shows pages whole from the first run on, or not yet."""
    app = AppTest.from_file(str(ROOT / "pages" / "shell.py"), default_timeout=30)
    if painted:
        paint(app)
    return app


def paint(app: AppTest) -> None:
    """Tell the app that the browser shows every page's live picture, as the picture's callback does."""
    app.session_state["painted"] = {*PAGES, ""}


def opened_at(page: str, **view: str) -> AppTest:
    """A page with a view in its URL."""
    app = shell().run()
    for key, value in view.items():
        app.query_params[key] = value
    return app.switch_page(f"{page}.py").run()


def live(app: AppTest) -> dict:
    """What the live picture was given."""
    [component] = app.get("bidi_component")
    return json.loads(component.proto.json)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("cache", ["empty_cache", "filled_cache"])
def test_every_page_opens(name: str, cache: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(cache)
    app = shell().run().switch_page(f"{name}.py").run()
    assert not app.exception
    assert app.title or app.info


def test_the_landing_page_is_the_lab(filled_cache: dict[str, str]) -> None:
    assert shell().run().text_input[0].value == OPENING


def test_an_empty_cache_is_answered_with_what_to_do(empty_cache: Path) -> None:
    assert "make demo" in opened_at("learn").info[0].value


def test_a_link_to_a_profile_that_is_not_here_says_so(filled_cache: dict[str, str]) -> None:
    app = opened_at("learn", profile="feedfacefeedface")
    assert "feedfacefeedface" in app.warning[0].value
    assert app.title


@pytest.mark.parametrize("committed", [False, True])
def test_the_url_names_the_profile_unless_it_is_the_one_that_everybody_has(empty_cache: Path, committed: bool) -> None:
    root = empty_cache / "home" / "demo" if committed else empty_cache
    key = synthetic.save_profile(root, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened_at("absorption")
    assert app.session_state["profile"] == key
    assert ("profile" in app.query_params) != committed


def test_the_beginning_of_a_key_is_enough(filled_cache: dict[str, str]) -> None:
    app = opened_at("learn", profile=filled_cache["shallow"][:8])
    assert app.session_state["profile"] == filled_cache["shallow"]
    assert "shallow model" in app.caption[0].value


def test_a_profile_with_a_missing_unit_gets_one_sentence(empty_cache: Path) -> None:
    spec = synthetic.profile_spec(5, 8, "quick")
    synthetic.save_profile(empty_cache, spec, 5)
    broken = empty_cache / "perturbed" / spec.unit(spec.measurements[0]).key / "injection-read.parquet"
    broken.write_bytes(broken.read_bytes()[:-9])
    app = opened_at("learn")
    assert not app.exception
    assert "measure it again" in app.error[0].value


def loads(statement: str) -> subprocess.CompletedProcess:
    """Run a statement in a fresh interpreter and fail if it loaded a heavy library."""
    command = [sys.executable, "-c", f"{statement}\n{GUARD}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_no_page_loads_torch_or_transformers() -> None:
    modules = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "pages" / "ui").rglob("*.py"))]
    imports = [f"import {'.'.join(path.parts).removesuffix('.__init__')}" for path in modules]
    opened = "AppTest.from_file('pages/shell.py', default_timeout=30).run().switch_page('{}.py').run()"
    pages = [f"assert not {opened.format(page)}.exception" for page in PAGES]
    done = loads("\n".join([*imports, "from streamlit.testing.v1 import AppTest", *pages]))
    assert done.returncode == 0, done.stderr[-500:]


def test_the_guard_bites() -> None:
    done = loads("import transformers")
    assert done.returncode == 1
    assert "transformers" in done.stderr
