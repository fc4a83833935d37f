"""Break it while it talks, in a real browser with the real model: writing, hurting, going back, pausing, a link."""

import json
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect

from pages.ui.lab.talk import OPENING_TOKENS
from tests.e2e.conftest import settle, wait_for_query

PATIENCE = 240_000  # ms for a model to be loaded and to write on a busy machine
SHORTER = "write=A+bird+sang&turns=1~16~gaussian:1"
pytestmark = pytest.mark.bundled
# Moves a control and waits until the first token that was written after that stands on the page.
MOVE = """(control, value) => new Promise((done) => {
    performance.clearMarks("token")
    control.value = value
    control.dispatchEvent(new Event("input", { bubbles: true }))
    const look = () => {
        const [token] = performance.getEntriesByName("token")
        if (token) requestAnimationFrame(done)
        else setTimeout(look, 1)
    }
    look()
})"""


def opened(tab, address):
    """The page, its part in sight."""
    page = tab(address)
    talk = page.locator(".talk")
    talk.scroll_into_view_if_needed()
    return page, talk


def written(talk, tokens):
    """Wait for so many tokens, the last ones."""
    expect(talk).to_have_attribute("data-tokens", str(tokens), timeout=PATIENCE)
    expect(talk).to_have_attribute("data-playing", "false")


def texts(talk):
    """Both, with the prompt."""
    return talk.locator(".text").all_inner_texts()


def asked(page):
    """What the page asked the server to write."""
    talks = [urlparse(url) for url in page.asked if "/talk/" in url]
    return [json.loads(parse_qs(each.query)["asked"][0]) for each in talks]


def pause(talk):
    """Stop in mid-text; how many tokens stand there."""
    talk.get_by_role("button", name="Pause").click()
    expect(talk).to_have_attribute("data-playing", "false")
    return int(talk.get_attribute("data-tokens"))


def test_the_example_is_written_hurt_and_healed_and_says_what_is_seen(demo, tab):
    page, talk = opened(tab, f"{demo}/play")
    written(talk, OPENING_TOKENS)
    dense, hurt = texts(talk)
    assert dense != hurt and dense.split()[:7] == hurt.split()[:7]
    expect(talk.locator(".says")).to_contain_text("differ from token")
    expect(talk.locator(".text .first")).to_have_count(2)
    assert len(asked(page)) == 1
    word = talk.locator(".hurt .odd").first
    word.hover()
    expect(talk.locator(".says")).to_contain_text("would write")
    expect(talk.get_by_role("button", name="From here")).to_be_visible()


def test_ones_own_prompt_is_hurt_while_it_is_written(demo, tab):
    """A move is asked once the model stands, and the next token obeys it."""
    page, talk = opened(tab, f"{demo}/play?{SHORTER}")
    field = page.get_by_role("textbox", name="Words to write on from")
    field.fill("Every evening the lighthouse keeper")
    field.press("Enter")
    expect(talk.locator(".hurt")).to_contain_text("lighthouse", timeout=PATIENCE)
    page.wait_for_function("talk => Number(talk.dataset.tokens) > 3", arg=talk.element_handle(), timeout=PATIENCE)
    for value in (2, 6, 3, 7):
        talk.locator(".size").evaluate(MOVE, value)
    at = pause(talk)
    turns = asked(page)[-1]["turns"]
    assert [word for _, _, word in turns][-4:] == ["gaussian:0.1", "gaussian:0.7", "gaussian:0.2", "gaussian:1"]
    starts = [start for start, _, _ in turns]
    assert starts == sorted(set(starts)) and starts[-1] < at
    wait_for_query(page, write="Every evening the lighthouse keeper")
    assert query_turns(page) == turns


def query_turns(page):
    """What the URL says was done when."""
    page.wait_for_url(lambda url: "turns" in parse_qs(urlparse(url).query))
    settle(page)
    said = parse_qs(urlparse(page.url).query)["turns"][0]
    return [[int(start), int(layer), word] for start, layer, word in (each.split("~") for each in said.split(","))]


def test_a_text_is_written_anew_from_a_token_and_a_link_shows_it_to_somebody_else(demo, tab, window):
    page, talk = opened(tab, f"{demo}/play?{SHORTER}")
    first = reached(talk, 12)
    talk.locator(".hurt span").nth(5).click()  # its fifth token
    expect(talk).to_have_attribute("data-tokens", "5")
    talk.get_by_role("button", name="Play").click()
    assert reached(talk, 12) == first, "the same damage gives the same text"
    talk.locator(".hurt span").nth(3).click()
    talk.get_by_role("button", name="Heal").click()
    talk.get_by_role("button", name="Play").click()
    healed = reached(talk, 16)
    assert healed[0][:12] == first[0][:12] and healed[1][:3] == first[1][:3] and healed[1][:12] != first[1][:12]
    wait_for_query(page, turns="1~16~gaussian:1,3~0~")
    other = window(viewport={"width": 1280, "height": 700})
    other.goto(page.url)
    again = other.locator(".talk")
    assert reached(again, 16) == healed
    expect(again.locator(".text").first).to_be_in_viewport()


def reached(talk, tokens):
    """Both texts without the prompt, so many tokens of them, once they are written; then it pauses."""
    enough = "([talk, tokens]) => Number(talk.dataset.tokens) >= tokens"
    talk.page.wait_for_function(enough, arg=[talk.element_handle(), tokens], timeout=PATIENCE)
    pause(talk)
    dense, hurt = (talk.locator(f".text >> nth={side}").locator("span").all_inner_texts() for side in (0, 1))
    return dense[1 : tokens + 1], hurt[1 : tokens + 1]


def test_who_leaves_the_page_lets_the_stream_go(demo, tab):
    page, talk = opened(tab, f"{demo}/play?{SHORTER}")
    page.wait_for_function("talk => Number(talk.dataset.tokens) > 1", arg=talk.element_handle(), timeout=PATIENCE)
    with page.expect_event("requestfailed", lambda request: "/talk/" in request.url, timeout=PATIENCE):
        page.get_by_role("link", name="Reference").click()
