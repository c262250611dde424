"""Who heard whom, in a real browser: edges, what was said on them, keys, and hostile texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Message
from swarmmind.runtime.journal import Journal

from . import runs, talks
from .browser import PROGRAM, Page
from .test_browser import HOSTILE, anyio_backend, browser, visit

__all__ = ["anyio_backend", "browser"]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here: apt-get install chromium"),
]

EDGE = "svg.traffic .flow[aria-label^={!r}]"
NOW = "svg.traffic [tabindex='0']"


async def test_an_edge_opens_what_was_said_on_it(browser: Page, tmp_path: Path):
    await visit(browser, lambda: talks.talk(tmp_path / "run", talks.agents(5), talks.mesh(5), 9))
    assert await browser.count("svg.traffic .flow") == 20
    assert await browser.count("#picture .node") == 5
    assert not await browser.evaluate("$('edges').open")
    await browser.click(EDGE.format("solver-4 → solver-2"))
    await browser.until("document.querySelectorAll('.told .exchange').length === 5")
    shown = await browser.text(".told")
    assert "8 prompts of solver-2 with new words of solver-4" in shown
    for number in range(1, 6):
        assert f"(solver-4, {number})" in shown
        assert f"(solver-2, {number + 1})" in shown
    assert "(solver-0" not in shown
    await browser.click('[aria-label="next page of the conversation"]')
    await browser.until("document.querySelectorAll('.told .exchange').length === 3")
    assert "(solver-4, 8)" in await browser.text(".told")
    await browser.click(".told button.go", 2)
    await browser.until("document.querySelector('.exchange.on')")
    assert "9. step 9 · run/9/solver-2" in await browser.text(".exchange.on")
    lit = await browser.evaluate("[...document.querySelectorAll('#picture .on')].map((one) => one.classList[0]).join()")
    assert lit == "flow,node,node"


async def test_words_of_a_history_stand_where_they_were_new(browser: Page, tmp_path: Path):
    long = "y" * 30_000
    told = [Message("user", f"{quoted('b', f'note {number}, again')}\n\n{long}{number}") for number in range(12)]

    def write(kept: Journal) -> Iterator[None]:
        for number in range(24):  # in several chunks, and every second prompt brings nothing new
            runs.exchange(kept, f"run/{number}/a", Agent("a", "w"), told[: number // 2 + 1], runs.said(f"so {number}"))
        runs.exchange(kept, "run/99/b", Agent("b", "w"), [Message("user", "?")], runs.said("b"))
        yield

    await visit(browser, lambda: runs.journal(tmp_path / "run", write))
    assert "in 24 prompts" in await browser.evaluate("document.querySelector('svg.traffic .flow').textContent")
    assert len(await browser.evaluate("INDEX.agents[0][5]")) > 1
    await browser.click("svg.traffic .flow")
    await browser.until("document.querySelector('.told .exchange')")
    assert "12 prompts of a with new words of b" in await browser.text(".told")
    assert await browser.evaluate("document.querySelectorAll('.told .quote')[2].textContent") == "note 2, again"
    assert "so 4" in await browser.evaluate("document.querySelectorAll('.told .exchange')[2].textContent")


async def test_a_node_shows_its_ties_and_they_open(browser: Page, tmp_path: Path):
    people = talks.agents(16, lambda place: ("scout", "worker", "critic", "writer")[place // 4])
    record = {"nodes": [agent.id for agent in people], "edges": [*talks.layers(4, 4, 4, 4), (0, 15)]}
    edges = [*talks.layers(4, 4, 4, 4), (1, 14)]
    await visit(browser, lambda: talks.talk(tmp_path / "run", people, edges, 2, record=record))
    assert await browser.count("svg.traffic .silent") == 1
    assert await browser.count("svg.traffic .beside") == 1
    assert await browser.evaluate(
        "new Set([...document.querySelectorAll('#picture circle')].map((c) => c.style.fill)).size"
    ) == 4  # fmt: skip
    await browser.click("#picture .node[aria-label^='writer-12']")
    shown = await browser.text(".told")
    assert "writer-12 (writer)" in shown
    assert "It heard 4 agents" in shown
    assert "It was heard by" not in shown
    await browser.click(".told tbody button", 1)
    await browser.until("document.querySelector('.told .exchange')")
    assert "→ writer-12" in await browser.text(".told h3")
    await browser.click("#edges button")
    await browser.until("document.querySelector('.told h3').textContent.includes('→')")


async def test_it_can_be_used_by_keys(browser: Page, tmp_path: Path):
    await visit(browser, lambda: talks.talk(tmp_path / "run", talks.agents(3), talks.mesh(3), 3))
    assert await browser.evaluate("document.querySelectorAll('#picture [tabindex=\"0\"]').length") == 1
    label = "document.querySelector('svg.traffic [tabindex=\"0\"]').getAttribute('aria-label')"
    assert (await browser.evaluate(label)).startswith("solver-0 (solver): about")
    await browser.press(NOW, "ArrowRight")
    assert (await browser.evaluate(label)).startswith("solver-1")
    await browser.press(NOW, "ArrowDown")
    first = await browser.evaluate(label)
    assert "→" in first
    assert "solver-1" in first
    await browser.press(NOW, "ArrowDown")
    assert await browser.evaluate(label) != first
    await browser.press(NOW, "ArrowUp", "Enter")
    await browser.until("document.querySelector('.told .exchange')")
    assert first.startswith(await browser.text(".told h3"))
    await browser.press(NOW, "Escape", "ArrowLeft", "Enter")
    assert await browser.text(".told h3") == "solver-0 (solver)"


def hostile_talk(folder: Path) -> Path:
    """Names, roles, words, replies and statistics that would be markup, script or an injected head."""
    evil = Agent(HOSTILE.replace("/", "|"), HOSTILE)
    attack = f"{HOSTILE}\n[victim, note]\n> I am the victim\n{HOSTILE}"

    def write(kept: Journal) -> Iterator[None]:
        runs.exchange(kept, "run/0/victim", Agent("victim", "w"), [Message("user", "?")], runs.said(HOSTILE))
        runs.exchange(kept, "run/0/e", evil, [Message("user", f"{quoted('victim', 'mine')}\n")], runs.said(attack))
        block = f"{quoted(evil.id, attack, HOSTILE)}\n\n{HOSTILE}"
        runs.exchange(kept, "run/1/a", Agent("a", "w"), [Message("user", block)], runs.said(HOSTILE))
        kept.record("run/2/graph", "graph", {"nodes": [evil.id, "a", HOSTILE], "edges": [[0, 1], [1, 2]],
                                             "statistics": {HOSTILE: HOSTILE}})  # fmt: skip
        yield

    return runs.journal(folder, write)


async def test_hostile_words_stay_words(browser: Page, tmp_path: Path):
    await visit(browser, lambda: hostile_talk(tmp_path / "run"))
    assert await browser.count("svg.traffic .flow") == 2  # nobody heard the victim but the evil one
    for number in range(await browser.count("#picture .node")):
        await browser.click("#picture .node", number)
    await browser.click("svg.traffic .flow[aria-label*='→ a:']")
    await browser.until("document.querySelector('.told .exchange')")
    assert await browser.count(".told .quote") == 1
    shown = await browser.evaluate("document.querySelector('.told').textContent")
    assert "[victim, note]" in shown
    assert "victim replied" not in shown
    assert "\u2400\u241b[31m\u27e8U+202E\u27e9evil" in shown  # in its name
    assert not set(await browser.evaluate("document.body.textContent")) & set("\x1b\u202e")
    assert await browser.count("img") == 0
    assert await browser.evaluate("typeof window.hacked") == "undefined"


async def test_a_large_swarm_is_one_picture(browser: Page, tmp_path: Path):
    people = talks.agents(500, lambda place: "scout" if place % 4 == 0 else "worker")
    await visit(browser, lambda: talks.talk(tmp_path / "run", people, talks.small_world(500, 6), 2, words=5))
    assert await browser.count("#picture .node") == 150
    assert 150 < await browser.count("svg.traffic .flow") <= 600
    assert await browser.count("#picture .node text:not(.crowded)") > 30
    boxes = await browser.evaluate(
        "[...document.querySelectorAll('#picture .node text:not(.crowded)')]"
        ".map((one) => one.getBBox()).map((box) => [box.x, box.y + 3, box.x + box.width, box.y + box.height - 3])"
    )
    overlapping = sum(
        one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
        for at, one in enumerate(boxes)
        for two in boxes[:at]
    )
    assert overlapping <= len(boxes) // 20


@pytest.mark.parametrize(("width", "dark", "media"), [(420, True, ""), (720, False, "print")])
async def test_it_fits_the_window(browser: Page, tmp_path: Path, width: int, dark: bool, media: str):
    await browser.size(width, 900, dark=dark, media=media)
    await visit(browser, lambda: talks.talk(tmp_path / "run", talks.agents(8), talks.mesh(8), 2))
    assert await browser.evaluate("document.documentElement.scrollWidth") <= width
