"""The page of a study in a real browser: what a person would click, and what a hostile text would try."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from swarmmind.report import render_study
from swarmmind.report.studies.verdict import score

from . import runs, studies
from .browser import PROGRAM, Page, chromium
from .test_browser import HOSTILE, TRICKS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here: apt-get install chromium"),
]

OPENS_SECONDS = 3.0
SHOWN = "\u2400\u241b[31m\u27e8U+202E\u27e9evil"


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


async def visit(page: Page, make: Callable[[], Path]) -> None:
    """Make a study, and open its page."""
    await page.open(await run_sync(lambda: render_study(make())))


async def press(page: Page, place: str, key: str) -> None:
    """Press a key where the focus is, or first in an element."""
    event = f"new KeyboardEvent('keydown', {{key: {key!r}, bubbles: true, cancelable: true}})"
    await page.evaluate(f"void {place}.dispatchEvent({event})")


async def test_a_node_of_the_tree_opens_its_candidate(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.small(tmp_path / "run"))
    assert await browser.count("#lineage .node") == 8
    assert await browser.count("#lineage .kept") - await browser.count("#lineage .legend .kept") == 4
    assert await browser.count("#lineage .branch.path") == 3
    assert await browser.count("#lineage .branch.join") == 1
    place = await browser.evaluate("[...document.querySelectorAll('#lineage .node')].findIndex("
                                   "(node) => node.getAttribute('aria-label').startsWith('#4, kept'))")  # fmt: skip
    await browser.click("#lineage .node", place)
    await browser.until("document.querySelector('#lineage .detail article')")
    shown = await browser.text("#lineage .detail")
    assert "#4, kept" in shown
    assert "made from #2" in shown
    assert "rule 1 was missing" in shown
    assert "validation: 0.5 (0.425 to 0.575) on 10 examples · depth 1, calls 3" in shown
    assert (await browser.text("#lineage .detail ins")).strip() == "- Rule 1."
    assert await browser.count("#lineage .detail del") == 0
    await browser.click("#lineage .detail .link")
    await browser.until("document.querySelector('#lineage .detail h3').textContent.startsWith('#2, kept')")
    assert await browser.count("#lineage .node.on") == 1


async def test_the_tree_is_walked_by_keys(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.small(tmp_path / "run"))
    await browser.evaluate("document.querySelector('#lineage .node').focus()")
    now = "document.activeElement"
    for key, label in (("ArrowRight", "#2, kept"), ("ArrowRight", "#4, kept"), ("ArrowDown", "#5"), ("ArrowUp", "#4")):
        await press(browser, now, key)
        assert (await browser.evaluate(f"{now}.getAttribute('aria-label')")).startswith(label)
    assert (await browser.text("#lineage .hint")).startswith("#4, kept: validation 0.5 (0.425 to 0.575), training")
    await press(browser, now, "Enter")
    await browser.until("document.querySelector('#lineage .detail article')")
    assert await browser.count("#lineage [tabindex='0'].node") == 1


async def test_the_winners_changes_are_marked_word_by_word(browser: Page, tmp_path: Path):
    before = "Read the note.  Answer in one short sentence, always. " + "The same words again and again. " * 40
    after = before.replace("one short", "two long").replace("always", "never")
    rows = [
        ("candidate", {"id": "a", "values": {"p": before, "n": 0.25, "same": 1}}),
        ("candidate", {"id": "b", "parents": ["a"], "values": {"p": after, "n": 0.5, "same": 1}}),
        ("best", {"id": "b", "mean": 0.5, "split": "train"}),
    ]
    await visit(browser, lambda: studies.written(tmp_path / "run", *rows))
    await browser.until("document.querySelectorAll('#winner .change').length === 2")
    marks = "[...document.querySelectorAll('#winner .change {}')].map((mark) => mark.textContent)"
    assert await browser.evaluate(marks.format("del")) == ["one short", "always", "0.25"]
    assert await browser.evaluate(marks.format("ins")) == ["two long", "never", "0.5"]
    assert "characters unchanged" in await browser.text("#winner")
    await browser.click("#winner button.fold")
    whole = await browser.evaluate("document.querySelector('#winner pre').textContent")
    assert whole.count("The same words again and again.") == 40
    assert await browser.count("#winner button.fold") == 0


async def test_scores_are_points_bars_and_steps(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.small(tmp_path / "run"))
    dots = "document.querySelector('.chart path.{}').getAttribute('d').split('M').length - 1"
    assert await browser.evaluate(dots.format("validate.dots")) == 7
    assert await browser.evaluate(dots.format("train.dots")) == 4
    assert await browser.evaluate(dots.format("rings")) == 4
    assert (await browser.evaluate("document.querySelector('.chart .steps').getAttribute('d')")).count("V") == 3
    await press(browser, "document.querySelector('svg.scores')", "Home")
    assert (await browser.text("#chart .hint")).startswith("#1, kept: validation 0 (-0.075 to 0.075)")
    await press(browser, "document.querySelector('svg.scores')", "ArrowRight")
    await press(browser, "document.querySelector('svg.scores')", "Enter")
    await browser.until("document.querySelector('#chart .detail article')")
    assert "rule 0 was missing" in await browser.text("#chart .detail")
    await browser.click("#chart input", 1)
    assert await browser.count("#chart path.train.dots") == 0
    assert await browser.count("#chart path.validate.dots") == 1


@pytest.mark.parametrize("axes", [1, 2, 3])
async def test_the_archive_shows_its_elites(browser: Page, tmp_path: Path, axes: int):
    await visit(browser, lambda: studies.archive(tmp_path / "run", axes))
    cells, facts = await browser.count("#map .cell"), await browser.evaluate("INDEX.archive")
    assert cells == facts["filled"] if axes < 3 else 0 < cells <= facts["filled"]
    assert f"{facts['filled']} of {5**axes} cells filled" in await browser.text("#map")
    assert await browser.count("#map .cell.won") == 1
    await browser.click("#map .cell.won")
    await browser.until("document.querySelector('#map .detail article')")
    assert "the winner" in await browser.text("#map .detail h3")
    await browser.evaluate("document.querySelector('#map .cell').focus()")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        await press(browser, "document.activeElement", key)
    assert ": quality " in await browser.text("#map .hint")
    if axes == 3:
        await browser.enter("#map .axes select", 1)
        names = "[...document.querySelectorAll('#map text.value')].map((text) => text.textContent)"
        assert (await browser.evaluate(names))[0] == "calls"


async def test_candidates_are_sorted_searched_and_opened(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.large(tmp_path / "run", 300, words=40))
    assert await browser.count(".candidates tbody tr") == 50
    await browser.click(".candidates thead button", 2)
    assert await browser.count(".candidates th:nth-child(3)[aria-sort=descending]") == 1
    cells = "[...document.querySelectorAll('.candidates tbody td:nth-child(3)')]"
    found = await browser.evaluate(f"{cells}.map((cell) => parseFloat(cell.textContent))")
    assert found == sorted(found, reverse=True)
    best = await browser.evaluate("Math.max(...INDEX.seen.validate.map((one) => one[0]))")
    assert found[0] == pytest.approx(best, abs=0.01)
    await browser.enter('[aria-label="search candidates"]', "WORD IN 77")
    assert await browser.count(".candidates tbody tr") == 1
    await browser.click(".candidates tbody button")
    await browser.until("document.querySelector('.candidates .detail article')")
    assert await browser.text(".candidates .detail ins") == "new77"
    await browser.enter('[aria-label="search candidates"]', "")
    await browser.enter('[aria-label="which candidates"]', "kept")
    kept = await browser.evaluate("INDEX.kept.filter(Boolean).length")
    assert f"{kept} candidates" in await browser.text("#table .note")


async def test_a_score_reads_the_same_in_the_page_and_in_words(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.small(tmp_path / "run"))
    values = [0.0, -0.004, 0.00123456, 0.0552, 0.12345, 0.9996, -1.0085, 12.344, 99.999, 123.456, 1234.5678, -98765.4]
    assert await browser.evaluate(f"{values}.map(digits)") == [score(value) for value in values]


async def test_a_bubble_of_the_tree_lists_what_it_folds(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.large(tmp_path / "run", 400, words=20))
    folded = await browser.evaluate("INDEX.tree.nodes.find((node) => node[0] === null)[3]")
    await browser.click("#lineage .bubble")
    noun = "candidate" if folded == 1 else "candidates"
    assert (await browser.text("#table .note")).startswith(f"{folded} {noun}")
    await browser.click("#table .bar span button")
    assert (await browser.text("#table .note")).startswith("400 candidates")


def hostile(folder: Path) -> Path:
    """A study in which every text is an attack."""
    h = HOSTILE
    axes = [
        {"measure": h, "low": 0, "high": 1, "bins": 3, "scale": h},
        {"measure": h + "2", "low": 1, "high": 9, "bins": 2},
    ]
    rows = [
        ("candidate", {"id": h, "note": h, "values": {h: h, "other": [h]}}),
        ("candidate", {"id": "b", "parents": [h, "stranger"], "note": h, "values": {h: h + h, "other": {h: h}}}),
        *(("evaluation", {"candidate": one, "split": split, "mean": 0.5, "n": 3, "sd": 0.1, "measures": {h: 1.0}})
          for one in (h, "b") for split in ("train", h, "validate")),
        ("best", {"id": "b", "mean": 0.5, "split": h}),
        ("refused", {"note": h, "problems": {h: [h]}, "gates": {h: h}}),
        ("refused", {"note": h}),
        ("archive", {"axes": axes, "cells": [[[0, 1], h, 0.5], [[9], "b", 1]], "filled": 1, "total": 6,
                     "coverage": 0.2, "qd_score": 1.0, "best": 0.5, "children": {h: 3}}),
        ("archive", {"axes": axes, "cells": [[[0, 1], h, 0.5]], "filled": 1, "total": 6,
                     "coverage": 0.2, "qd_score": 1.0, "best": 0.5, "round": 1, "children": {h: 3}}),
        *((h, {h: at * at % 7}) for at in range(9)),
    ]  # fmt: skip
    studies.written(folder, *[(name, data) for name, data in rows], program="run/0/search")
    (folder / "best").mkdir()
    (folder / "best" / "best.diff").write_text(f"--- a\n+++ b\n-{h}\n+{h}\n".replace("\x00", ""))
    (folder / "task.yaml").write_text(h)
    study = {"optimizer": h, "reason": h, "start": {"id": h}, "best": {"id": "b"}, "parts": h, "tried": h}
    return runs.result(
        folder,
        name=h,
        status=h,
        study=study,
        warnings=[h],
        error=h,
        undone=h,
        models=[h],
        seed=h,
        failures=[{"kind": h, "count": 3, "example": h}],
    )


async def test_hostile_texts_stay_texts(browser: Page, tmp_path: Path):
    await visit(browser, lambda: hostile(tmp_path / "run"))
    for place in ("#lineage .node", "#map .cell", ".candidates tbody button"):
        for number in range(await browser.count(place)):
            await browser.click(place, number)
    await press(browser, "document.querySelector('svg.scores')", "Enter")
    await browser.until("document.querySelectorAll('.detail article').length === 4")
    await browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for place in ("header", "#winner", "#chart", "#lineage", "#map", "#records", "#refusals", "#table", "#task"):
        shown = await browser.evaluate(f"document.querySelector({place!r}).textContent")
        assert SHOWN in shown, place
        assert not set(shown) & set("\x1b\u202e"), place
    labels = "[...document.querySelectorAll('[aria-label]')].map((one) => one.getAttribute('aria-label')).join('')"
    assert not set(await browser.evaluate(labels)) & set("\x1b\u202e")
    assert await browser.count("img") == 0
    assert await browser.evaluate("typeof window.hacked") == "undefined"


async def test_the_policy_stops_what_is_slipped_in(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.small(tmp_path / "run"))
    await browser.evaluate(TRICKS)
    await browser.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert await browser.evaluate("typeof window.hacked") == "undefined"
    assert len(browser.trouble) == 2
    assert all("Content Security Policy" in trouble for trouble in browser.trouble)
    browser.trouble.clear()


async def test_five_thousand_candidates_open_at_once(browser: Page, tmp_path: Path):
    path = await run_sync(lambda: render_study(studies.large(tmp_path / "run", 5000)))
    assert path.stat().st_size < 8_000_000
    began = time.perf_counter()
    await browser.open(path)
    await browser.until("document.querySelector('#winner .change') && !document.querySelector('#candidates').hidden")
    assert time.perf_counter() - began < OPENS_SECONDS
    assert await browser.evaluate("document.querySelectorAll('*').length") < 6000
    await browser.enter('[aria-label="search candidates"]', "#5000")
    await browser.click(".candidates tbody button")
    await browser.until("document.querySelector('.candidates .detail article')")


@pytest.mark.parametrize(("width", "dark", "media"), [(1280, False, ""), (420, True, ""), (720, True, "print")])
async def test_it_fits_the_window(browser: Page, tmp_path: Path, width: int, dark: bool, media: str):
    await browser.size(width, 900, dark=dark, media=media)
    told = studies.means(0.1, 0.8, 0.5, 0.9)
    await visit(browser, lambda: studies.small(tmp_path / "run", held_out=told))
    assert await browser.evaluate("document.documentElement.scrollWidth") <= width
    ground = await browser.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = await browser.evaluate("getComputedStyle(document.body).color")
    assert (ground == "rgb(17, 21, 28)") == (ink == "rgb(228, 232, 239)") == (dark and media != "print")


async def test_nothing_moves_when_it_is_pointed_at(browser: Page, tmp_path: Path):
    await visit(browser, lambda: studies.small(tmp_path / "run"))
    await browser.until("document.querySelector('#winner .change')")
    height = await browser.evaluate("document.body.scrollHeight")
    for place in ("#lineage .node", "svg.scores"):
        move = "for (const kind of ['mouseenter', 'mousemove']) one.dispatchEvent(new MouseEvent(kind, {clientX: 300}))"
        await browser.evaluate(f"{{ const one = document.querySelector({place!r}); {move}; }}")
    assert await browser.evaluate("document.body.scrollHeight") == height
