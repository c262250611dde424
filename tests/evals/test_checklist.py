from __future__ import annotations

import random
import shutil
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import pytest

import swarmmind
from swarmmind.effects import Agent
from swarmmind.evals.checklist import checklist, lines, topics
from swarmmind.spec import load_task

EXAMPLE = Path(__file__).parents[2] / "examples" / "macnet" / "task.yaml"
TOPICS = [f"topic {at}" for at in range(1000)]
PROBLEM = "Write a checklist.\n\n" + "".join(f"  - {topic}\n" for topic in TOPICS)


def act(do: str, **seen: Any) -> str:
    return checklist(Agent("worker-0", "worker"))({"question": PROBLEM, "do": do, **seen}, random.Random(1))


def covering(names: list[str]) -> str:
    return "Checklist\n" + "\n".join(f"- {name}: test it." for name in names)


def test_topics_are_the_lines_of_the_problem() -> None:
    assert topics(PROBLEM) == TOPICS
    assert lines("Checklist\n- seats: count them.\n - first aid : two boxes: one a side\n- points\nno line") == {
        "seats": "count them.",
        "first aid": "two boxes: one a side",
        "points": "",
    }


def test_an_entry_without_a_deed_does_not_swallow_the_next_one() -> None:
    assert lines("- seats:\n- points:\n\n- doors: shut") == {"seats": "", "points": "", "doors": "shut"}
    assert topics("- seats:\n- points\n- : nothing\n -no\nso - on") == ["seats", "points"]


@pytest.mark.parametrize("text", ["- a" + " " * 200_000 + "b:", "\n \t" * 100_000, "- " * 200_000, "-  :" * 100_000])
def test_no_text_makes_reading_slow(text: str) -> None:
    began = process_time()
    lines(text)
    assert process_time() - began < 1


def test_a_draft_covers_a_fifth() -> None:
    draft = lines(act("draft"))
    assert set(draft) <= set(TOPICS)
    assert 150 < len(draft) < 250
    assert all(deed.endswith("sign for it.") for deed in draft.values())


def test_a_critic_names_one_gap_and_an_actor_fills_it() -> None:
    work = covering(TOPICS[:-1])
    comment = act("criticize", artifact=work)
    assert comment == f"It has no line on {TOPICS[-1]}."
    revised = lines(act("revise", artifact=work, comment=comment))
    assert TOPICS[-1] in revised
    assert 970 < len(revised) < 1000  # a line in a hundred is dropped
    assert TOPICS[-1] not in lines(act("revise", artifact=work, comment="FINISHED"))


def test_a_critic_of_what_is_whole_has_nothing_to_say() -> None:
    assert act("criticize", artifact=covering(TOPICS)) == "FINISHED"


def test_a_merge_keeps_what_all_versions_have_and_nearly_all_that_one_has() -> None:
    merged = lines(act("merge", artifacts=[covering(TOPICS[:600]), covering(TOPICS[400:])]))
    assert set(TOPICS[400:600]) <= set(merged)
    assert 950 < len(merged) < 1000


@pytest.fixture
def example(work: Path) -> Path:
    shutil.copytree(EXAMPLE.parent, work / "example", ignore=shutil.ignore_patterns("runs"))
    return work / "example" / "task.yaml"


def scores(example: Path, *overrides: str) -> list[float]:
    found = [swarmmind.run_sync(example, overrides=[*overrides, f"seed={seed}"], env={}) for seed in range(5)]
    assert all(result.status == "finished" for result in found)
    return [result.score for result in found if result.score is not None]


def test_in_the_example_layers_beat_a_chain_and_a_chain_beats_one_agent(example: Path) -> None:
    layers, chain = scores(example), scores(example, "swarm.topology=macnet-chain")
    alone = scores(example, "swarm.agents.worker=1")
    assert mean(layers) >= 0.95
    assert all(one > other for one, other in zip(layers, chain, strict=True))
    assert all(one > other for one, other in zip(chain, alone, strict=True))
    assert mean(alone) <= 0.4


def test_the_target_of_the_example_is_what_its_problem_asks_for() -> None:
    task = load_task(EXAMPLE, env={}).task
    assert task.score is not None
    assert topics(str(task.problem)) == task.score.target
