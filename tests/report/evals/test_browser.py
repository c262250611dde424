"""`eval.html` in a real browser: what a person would click, how fast it opens, and what a hostile text would try."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from swarmmind.evals.record import Played, Recorded
from swarmmind.report import render_eval
from tests.report.browser import PROGRAM, Page, chromium
from tests.report.test_browser import TRICKS

from . import evals

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here: apt-get install chromium"),
]

OPENS_SECONDS = 3.0
PAGE_BYTES = 12_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncGenerator[Page]:
    """A tab in which, when the test is over, nothing was complained about and nothing asked of a network."""
    async with chromium(tmp_path / "profile") as page:
        await page.call("Emulation.setFocusEmulationEnabled", enabled=True)
        yield page
        assert (page.trouble, page.requests, page.dialogs) == ([], [], [])
        assert await page.evaluate("$('trouble').hidden")


async def visit(page: Page, folder: Path, recorded: Recorded) -> Path:
    path = await run_sync(lambda: render_eval(evals.written(folder, recorded)))
    await page.open(path)
    return path


async def press(page: Page, place: str, *keys: str) -> None:
    for key in keys:
        event = f"new KeyboardEvent('keydown', {{key: {key!r}, bubbles: true, cancelable: true}})"
        await page.evaluate(f"void document.querySelector({place!r}).dispatchEvent({event})")


async def test_a_cell_of_the_map_opens_its_instance(browser: Page, tmp_path: Path):
    recorded = evals.dice(evals.manifest(), missing=11)
    await visit(browser, tmp_path / "run", recorded)
    await press(browser, "#heat canvas", "ArrowDown", "ArrowDown", "ArrowRight")
    hardest = await browser.evaluate("INDEX.instances[1][0]")
    hint = await browser.text("#heat .hint")
    assert hint.startswith(f"vote, {hardest} (")
    await press(browser, "#heat canvas", "Enter")
    await browser.until("document.querySelector('#instance article')")
    shown = await browser.text("#instance")
    instance = next(one for one in recorded.manifest.instances if one.id == hardest)
    assert instance.text in shown
    assert await browser.count("#instance tbody tr") == len(recorded.manifest.arms) * 3
    assert await browser.count("#instance td.on") == 3
    rows = [row for row in recorded.rows() if row.instance is instance]
    scores = await browser.evaluate(
        "[...document.querySelectorAll('#instance td.scores')].map((cell) => cell.textContent)"
    )
    assert scores == [_score(row.played) for row in rows]
    await browser.click("#instance article > button")
    assert await browser.count("#instance article") == 0


def _score(played: Played | None) -> str:
    return "not played" if played is None else "no score" if played.score is None else str(int(played.score))


async def test_a_click_is_on_the_cell_below_it(browser: Page, tmp_path: Path):
    await visit(browser, tmp_path / "run", evals.dice(evals.manifest()))
    step = "Math.min(64, Math.floor(900 / 20))"
    event = f"{{clientX: box.left + 210 + 2.5 * {step}, clientY: box.top + 4 + 3.5 * 22, bubbles: true}}"
    await browser.evaluate(
        "{ const canvas = document.querySelector('#heat canvas'); const box = canvas.getBoundingClientRect();"
        f" canvas.dispatchEvent(new MouseEvent('click', {event})); }}"
    )
    await browser.until("document.querySelector('#instance article')")
    assert await browser.evaluate(
        "document.querySelector('#instance h3').firstChild.textContent === INDEX.instances[2][0]"
    )
    marked = await browser.evaluate(
        "[...document.querySelectorAll('#instance tbody tr')].findIndex((row) => row.querySelector('.on'))"
    )
    assert marked == 3 * 3


async def test_episodes_are_sorted_filtered_and_opened(browser: Page, tmp_path: Path):
    recorded = evals.dice(evals.manifest(), missing=11)
    await visit(browser, tmp_path / "run", recorded)
    assert await browser.text("#list .note") == "360 episodes, 50 on a page"
    await browser.enter("#list select[aria-label='which episodes']", "none")
    failed = sum(one.score is None for one in recorded.played.values())
    assert await browser.text("#list .note") == f"{failed} episodes"
    await browser.enter("#list select[aria-label='which episodes']", "all")
    await browser.enter("#list select[aria-label='which arm']", "5")
    await browser.enter("#list input[type=search]", "sums-3")
    assert await browser.count("#list tbody tr") == 3
    assert set(
        await browser.evaluate(
            "[...document.querySelectorAll('#list tbody td:first-child')].map((cell) => cell.textContent)"
        )
    ) == {"random"}
    await browser.click("#list tbody th button", 1)
    await browser.until("document.querySelector('#list article')")
    assert "What is 3 + 3?" in await browser.text("#list article")
    await browser.enter("#list input[type=search]", "")
    await browser.enter("#list select[aria-label='which arm']", "-1")
    await browser.click("#list thead button", 5)
    first = await browser.text("#list tbody td:nth-child(6)")
    await browser.click("#list thead button", 5)
    assert (first, await browser.text("#list tbody td:nth-child(6)")) == ("0", "1")


async def test_ten_thousand_episodes_open_at_once(browser: Page, tmp_path: Path):
    recorded = evals.dice(evals.manifest(560, 3), "a word of wisdom, number after number " * 60)
    assert len(list(recorded.rows())) == 10_080
    path = await run_sync(lambda: render_eval(evals.written(tmp_path / "run", recorded)))
    assert path.stat().st_size < PAGE_BYTES
    began = time.monotonic()
    await browser.open(path)
    assert await browser.count("#list tbody tr") == 50
    assert time.monotonic() - began < OPENS_SECONDS
    await browser.enter("#heat .bar input[type=number], #heat input[type=number]", "3")
    await press(browser, "#heat canvas", "ArrowDown", "Enter")
    await browser.until("document.querySelector('#instance article')")
    assert await browser.evaluate(
        "document.querySelector('#instance h3').firstChild.textContent === INDEX.instances[400][0]"
    )
    assert "a word of wisdom" in await browser.text("#instance")


async def test_without_a_script_the_leaderboard_is_there(browser: Page, tmp_path: Path):
    path = await run_sync(lambda: render_eval(evals.written(tmp_path / "run", evals.dice(evals.manifest()))))
    await browser.call("Emulation.setScriptExecutionDisabled", value=True)
    await browser.call("Page.enable")
    await browser.call("Page.navigate", url=path.absolute().as_uri())
    with anyio.fail_after(60):
        while not await browser.evaluate("Boolean(document.querySelector('footer'))"):
            pass
    assert "vote same tokens" in " ".join((await browser.text(".board")).split())
    assert await browser.count(".board circle") == 6 * 3
    assert await browser.evaluate("document.querySelector('.board circle').getBoundingClientRect().width > 4")
    assert await browser.count("#curves circle") == 2 * 3
    assert await browser.evaluate("typeof INDEX") == "undefined"
    assert "need JavaScript" in await browser.text("noscript")
    await browser.call("Emulation.setScriptExecutionDisabled", value=False)
    await browser.open(path)


async def test_hostile_texts_stay_texts(browser: Page, tmp_path: Path):
    await visit(browser, tmp_path / "run", evals.hostile())
    await press(browser, "#heat canvas", "ArrowDown", "Enter")
    await browser.until("document.querySelector('#instance article')")
    await browser.click("#list tbody th button")
    await browser.until("document.querySelector('#list article')")
    for place in ("h1", "#leaderboard", "#differences", "#heat", "#instance", "#list"):
        assert evals.SIGNS in await browser.text(place)
    assert await browser.count("img") == 0
    assert await browser.evaluate("typeof window.hacked") == "undefined"
    await browser.evaluate(TRICKS)
    await browser.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert await browser.evaluate("typeof window.hacked") == "undefined"
    assert len(browser.trouble) == 2
    assert all("Content Security Policy" in trouble for trouble in browser.trouble)
    browser.trouble.clear()


async def test_scores_of_worlds_are_shaded_by_their_case(browser: Page, tmp_path: Path):
    recorded = evals.dice(evals.manifest())
    played = {
        label: evals.msgspec.structs.replace(one, score=one.score and 40 * one.score)
        for label, one in recorded.played.items()
    }
    await visit(browser, tmp_path / "run", Recorded(recorded.manifest, played))
    assert await browser.evaluate("scoreScales().ends") == [[0, 40], [0, 40]]
    assert "most of its case" in await browser.text("#heat .legend")
