"""The page in a real browser: what a person would click, and what a hostile text would try."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from swarmmind.effects import Agent, Message
from swarmmind.report import render
from swarmmind.runtime.journal import Journal

from . import runs, swarms
from .browser import PROGRAM, Page, chromium

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here: apt-get install chromium"),
]

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>]]>\x00\x1b[31m\u202eevil"
TRICKS = """{
  const script = document.createElement("script");
  script.textContent = "window.hacked = 3";
  document.body.append(script);
  const image = document.createElement("div");
  image.innerHTML = "<img src=data:, onerror='window.hacked=4'>";
  document.body.append(image);
}"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncGenerator[Page]:
    """A tab in which, when the test is over, nothing was complained about and nothing asked of a network."""
    async with chromium(tmp_path / "profile") as page:
        yield page
        assert (page.trouble, page.requests, page.dialogs) == ([], [], [])
        assert await page.evaluate("$('trouble').hidden")


async def visit(page: Page, make: Callable[[], Path]) -> None:
    """Make a run, and open its page."""
    await page.open(await run_sync(lambda: render(make())))


async def test_the_replay_shows_any_round(browser: Page, tmp_path: Path):
    await visit(browser, lambda: runs.world(tmp_path / "run", agents=12, rounds=20))
    await browser.until("$('replay').innerText.includes('round 0 · score 0')")
    first = await browser.evaluate("document.querySelector('canvas').toDataURL()")
    await browser.enter("#replay input[type=range]", 7)
    await browser.until("$('replay').innerText.includes('round 7 · score')")
    assert await browser.evaluate("document.querySelector('canvas').toDataURL()") != first
    assert "Said in this round" in await browser.text("aside")
    assert "round 7: " in await browser.evaluate("$('score').textContent")
    for key, number in (("ArrowRight", 8), ("ArrowLeft", 7), ("End", 20), ("Home", 0)):
        await browser.press("#replay canvas", key)
        await browser.until(f"$('replay').innerText.includes('round {number} · score')")
    await browser.enter("#replay select", 25)
    await browser.click("#replay button")
    assert "pause" in await browser.text("#replay button")
    await browser.until("$('replay').innerText.includes('round 20 · score')")
    await browser.until("document.querySelector('#replay button').textContent.includes('play')")


async def test_a_transcript_can_be_found_and_paged(browser: Page, tmp_path: Path):
    await visit(browser, lambda: runs.world(tmp_path / "run", agents=120, rounds=23))
    assert await browser.count(".people tbody tr") == 50
    await browser.click('[aria-label="next page of agents"]')
    await browser.click('[aria-label="next page of agents"]')
    assert await browser.count(".people tbody tr") == 20
    await browser.enter('[aria-label="search agents"]', "WORKER-77")
    assert await browser.count(".people tbody tr") == 1
    await browser.click(".people tbody button")
    await browser.until("document.querySelectorAll('.exchange').length === 10")
    shown = await browser.text("#transcripts")
    assert "1. round 1 · run/1/worker-77" in shown
    assert "Round 0. You see:" in shown
    assert "You live on a grid." in shown
    assert "1 message as in the exchange before" in shown
    await browser.click('[aria-label="next page of exchanges"]')
    await browser.until("document.querySelector('.exchange h4').textContent.startsWith('11.')")
    await browser.click('[aria-label="next page of exchanges"]')
    await browser.until("document.querySelectorAll('.exchange').length === 3")


async def test_a_failure_leads_to_its_exchange(browser: Page, tmp_path: Path):
    await visit(browser, lambda: runs.world(tmp_path / "run", agents=80, rounds=23))
    message = await browser.text(".fault li pre")
    await browser.click("button.go")
    await browser.until("document.querySelector('.exchange.on')")
    assert message in await browser.text(".exchange.on")


async def test_growing_histories_are_put_together(browser: Page, tmp_path: Path):
    await visit(browser, lambda: runs.debate(tmp_path / "run", agents=5, rounds=4))
    await browser.click(".matrix button", 3 * 5 + 2)
    await browser.until("document.querySelector('.exchange.on')")
    await browser.evaluate("document.querySelector('.exchange.on details').open = true")
    shown = await browser.text(".exchange.on")
    assert "4. 3/debate/3 · run/3/debate/3/solver-2" in shown
    assert "5 messages as in the exchange before" in shown
    assert shown.count("Others said:") == 3
    assert shown.count("What is the sum of the digits") == 1


async def test_a_row_of_the_activity_map_opens_its_agent(browser: Page, tmp_path: Path):
    await visit(browser, lambda: runs.world(tmp_path / "run", agents=250, rounds=5))
    assert "250 agents and 5 steps, shown in 200 by 5 bins" in await browser.text("#heat")
    await browser.press("#heat canvas", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight")
    assert (await browser.text("#heat .hint")).startswith("scout-15, round 2: 1 exchange, ")
    await browser.press("#heat canvas", "Enter")
    await browser.until("document.querySelector('#transcripts h3')")
    assert await browser.text("#transcripts h3") == "scout-15 (scout)"


def hostile_run(folder: Path) -> Path:
    """A run in which everything that can be said is an attack."""
    evil = Agent(HOSTILE.replace("/", "|"), HOSTILE)

    def write(kept: Journal) -> Iterator[None]:
        for step in (1, 3):
            reply = runs.said(HOSTILE) if step == 3 else runs.failed(HOSTILE, HOSTILE)
            runs.exchange(kept, f"run/{step}/{evil.id}", evil, [Message("user", HOSTILE + "x" * 1_000_000)], reply)
        frame = {
            "round": HOSTILE,
            "score": 1,
            "grid": [HOSTILE] * 3,
            "messages": [[HOSTILE, HOSTILE]],
            HOSTILE: HOSTILE,
        }
        kept.record("run/4/round", "round", frame)
        kept.record(f"run/5/{HOSTILE}", HOSTILE, {HOSTILE: HOSTILE})
        yield

    return runs.result(runs.journal(folder, write), name=HOSTILE, output=HOSTILE, warnings=[HOSTILE])


async def test_hostile_texts_stay_texts(browser: Page, tmp_path: Path):
    await visit(browser, lambda: hostile_run(tmp_path / "run"))
    await browser.click(".matrix button")
    await browser.until("document.querySelector('.exchange')")
    await browser.evaluate("document.querySelectorAll('.exchange button').forEach((more) => more.click())")
    assert len(await browser.evaluate("document.body.textContent")) > 100_000
    for place in ("h1", "#output", "#replay", "#replies", "#failures", "#transcripts", "#records"):
        assert "\u2400\u241b[31m\u27e8U+202E\u27e9evil" in await browser.text(place)
    assert await browser.count("img") == 0
    assert await browser.evaluate("typeof window.hacked") == "undefined"


async def test_the_policy_stops_what_is_slipped_in(browser: Page, tmp_path: Path):
    await visit(browser, lambda: runs.debate(tmp_path / "run"))
    await browser.evaluate(TRICKS)
    await browser.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert await browser.evaluate("typeof window.hacked") == "undefined"
    assert len(browser.trouble) == 2
    assert all("Content Security Policy" in trouble for trouble in browser.trouble)
    browser.trouble.clear()


async def test_events_and_their_agents_can_be_clicked(browser: Page, tmp_path: Path):
    await visit(browser, lambda: swarms.played(tmp_path / "run", swarms.learning(), swarms.spoken))
    assert await browser.count("#board .graph .node") == 3 + 8 + 1 + 24
    assert await browser.count("#board .graph .edge.rejected") > 5
    assert await browser.count("#board .graph .edge.needs") == 11
    await browser.click("#board .graph .node", 12 + 22)
    await browser.until("document.querySelector('.detail')")
    shown = await browser.text(".detail")
    assert "event e22 · failed" in shown
    assert "Work out part 22 of the poetry chapter" in shown
    assert "no leaf in e22" in shown
    assert "by exploration" in shown
    assert await browser.count("#board .graph .edge.on") == await browser.evaluate(
        "document.querySelectorAll('#board .graph .edge').length"
        " - document.querySelectorAll('#board .graph .edge.dim').length"
    )
    await browser.press("#board .graph .node[aria-label='agent worker-2']", "Enter")
    await browser.until("document.querySelector('.detail h4').textContent.startsWith('worker-2')")
    await browser.click(".detail button")
    await browser.until("document.querySelector('#transcripts h3')")
    assert await browser.text("#transcripts h3") == "worker-2 (worker)"


async def test_lines_are_as_many_as_labels(browser: Page, tmp_path: Path):
    await visit(browser, lambda: swarms.played(tmp_path / "run", swarms.learning(), swarms.spoken))
    assert await browser.count("#levels .series") == 12
    assert await browser.count("#levels .keys li") == 12
    assert await browser.count("#levels details tbody tr") == 20
    assert await browser.count("#board .multiples .chart-box") == 4 + 1
    assert await browser.count("#board .multiples .series") == 4 * 8 + 1
    assert "botany: worker-" in await browser.evaluate("$('board').textContent")
    assert "poetry worker" not in await browser.text("#levels")
    await browser.evaluate("void document.querySelector('#levels .keys li').dispatchEvent(new Event('mouseenter'))")
    assert await browser.count("#levels .series.dim") == 11
    assert await browser.evaluate("getComputedStyle(document.querySelector('.heat .h9')).backgroundColor") != (
        "rgba(0, 0, 0, 0)"
    )
    assert await browser.count("#context svg.stack rect.w3") == 11 + 2


async def test_nested_swarms_can_be_chosen(browser: Page, tmp_path: Path):
    both = swarms.nested(swarms.learning(6), swarms.learning(70))
    await visit(browser, lambda: swarms.played(tmp_path / "run", both, swarms.spoken))
    assert await browser.count("#board .graph") == 1
    await browser.enter("#board select", 1)
    assert "70 events" in await browser.text("#board")
    assert "Too many events or agents for a picture" in await browser.text("#board")
    assert await browser.count("#board .graph") == 0
    assert await browser.count("#board .heat tbody tr") == 8


async def test_hostile_records_stay_texts(browser: Page, tmp_path: Path):
    await visit(browser, lambda: swarms.played(tmp_path / "run", swarms.hostile, swarms.spoken))
    for number in range(await browser.count("#board .graph .node")):
        await browser.click("#board .graph .node", number)
        await browser.until("document.querySelector('.detail')")
    await browser.until("document.querySelector('.detail').textContent.includes('event short')")
    for place in ("#board", "#levels", "#records", ".detail"):
        shown = await browser.evaluate(f"document.querySelector({place!r}).textContent")
        assert "<img src=x onerror=" in shown
        assert not set(shown) & set("\x1b\u202e")
    assert "\u241b[31m\u27e8U+202E\u27e9evil" in await browser.text(".detail")
    assert await browser.count("img") == 0
    assert await browser.evaluate("typeof window.hacked") == "undefined"


async def test_a_swarm_fits_the_window(browser: Page, tmp_path: Path):
    await browser.size(420, 900, dark=True)
    await visit(browser, lambda: swarms.played(tmp_path / "run", swarms.learning(), swarms.spoken))
    assert await browser.evaluate("document.documentElement.scrollWidth") <= 420


@pytest.mark.parametrize(("width", "dark", "media"), [(1280, False, ""), (420, True, ""), (720, True, "print")])
async def test_it_fits_the_window(browser: Page, tmp_path: Path, width: int, dark: bool, media: str):
    await browser.size(width, 900, dark=dark, media=media)
    await visit(browser, lambda: runs.world(tmp_path / "run", agents=12, rounds=4))
    assert await browser.evaluate("document.documentElement.scrollWidth") <= width
    ground = await browser.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = await browser.evaluate("getComputedStyle(document.body).color")
    assert (ground == "rgb(17, 21, 28)") == (ink == "rgb(228, 232, 239)") == (dark and media != "print")


async def test_each_of_several_worlds_can_be_chosen(browser: Page, tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        for world in range(3):
            for number in range(4):
                frame = {"round": number, "score": 10 * world + number, "grid": ["W.W"]}
                kept.record(f"run/1/world-{world}/{2 * number}/round", "round", frame)
                key = f"run/1/world-{world}/{2 * number + 1}/w-1"
                runs.exchange(kept, key, Agent("w-1", "w"), [], runs.said("ok"))
        yield

    await visit(browser, lambda: runs.journal(tmp_path / "run", write))
    await browser.until("$('replay').innerText.includes('round 0 · score 0')")
    await browser.enter("#world select", "run/1/world-2")
    await browser.until("$('replay').innerText.includes('round 0 · score 20')")
    await browser.press("#replay canvas", "End")
    await browser.until("$('replay').innerText.includes('round 3 · score 23')")
    assert "world-1 round 2" in await browser.text("#replies")


async def test_an_old_browser_is_told_so(tmp_path: Path):
    async with chromium(tmp_path / "profile") as page:
        await page.call("Page.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream")
        await visit(page, lambda: runs.world(tmp_path / "run", rounds=2))
        await page.until("!$('trouble').hidden")
        assert "no DecompressionStream" in await page.text("#trouble")
