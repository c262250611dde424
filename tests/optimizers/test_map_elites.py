"""MAP-Elites, through the real driver: cells are measured, incumbents are challenged fairly, editors are told."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from swarmmind.effects import Limits
from swarmmind.errors import UserError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.archives.grid import Descriptor
from swarmmind.optimizers.conduct import Conclusion, Stops
from swarmmind.optimizers.map_elites import map_elites, map_elites_most
from swarmmind.optimizers.parameters import ChoiceParameter, EdgesParameter, NumberParameter, TextParameter
from swarmmind.optimizers.study import Scored, Study
from swarmmind.ports import Request
from swarmmind.runs.parameters import checked
from swarmmind.runtime.journal import content
from swarmmind.testing.play import Played
from tests.optimizers.hills import Asking, Function, conducted, document, study

SIZE = NumberParameter("size", 0, 9, integer=True)
SKILL = NumberParameter("skill", 0, 9, integer=True)
TEXT = TextParameter("text", "as many words as it takes")
AXIS = Descriptor(measure="size", low=0.0, high=10.0, bins=10)
WORDS = Descriptor(measure="words", low=0.0, high=10.0, bins=5)


def sized(values: Any, example: str, rep: int) -> Scored:
    return Scored(values["skill"] / 9, measures={"size": float(values["size"])})


def worded(values: Any, example: str, rep: int) -> Scored:
    return Scored(0.5, measures={"words": float(len(values["text"].split()))})


def archives(journal: Path) -> list[Any]:
    found = [json.loads(row[3]) for row in content(journal) if row[0] == "record" and row[2] == "archive"]
    return sorted(found, key=lambda one: one["round"])


def prompts(journal: Path) -> list[str]:
    return [json.loads(row[5])[0][-1]["content"] for row in content(journal) if row[0] == "result" and row[2] == "Ask"]


def sizes(folder: Path, function: Function, **given: Any) -> tuple[Conclusion, Played]:
    folder.mkdir(exist_ok=True)
    one = study((SIZE, SKILL), {"size": 3, "skill": 0}, train=2, validate=2)
    arguments: dict[str, Any] = {"descriptors": [AXIS], "steps": 30, **given}
    return conducted(map_elites, one, function, folder / "j", **arguments)


def test_each_cell_holds_the_best_that_behaves_so(tmp_path: Path) -> None:
    end, _ = sizes(tmp_path, Function(sized), remeasure=False)
    last = archives(tmp_path / "j")[-1]
    tops: dict[int, int] = {}
    for one in end.candidates.values():
        tops[one.values["size"]] = max(tops.get(one.values["size"], 0), one.values["skill"])
    held = {cell[0]: end.candidates[name].values for cell, name, _ in last["cells"]}
    assert len(held) >= 8
    assert {size: values["skill"] for size, values in held.items()} == tops
    assert all(values["size"] == size for size, values in held.items())
    assert last["coverage"] == len(held) / 10
    assert end.best.values["skill"] == max(tops.values())
    assert end.evaluation is not None
    assert end.evaluation.split == "validate"


def test_what_a_candidate_claims_is_nothing_to_the_grid(tmp_path: Path) -> None:
    """The text says five words whatever it has; its runs say two."""
    one = study((TEXT,), {"text": "two words"}, train=1, validate=1)

    def claims(request: Request, rng: random.Random) -> str:
        return document(value=f"five-words v{rng.random()}", note="words 5")

    conducted(map_elites, one, Function(worded), tmp_path / "j", answers=claims, descriptors=[WORDS], steps=3)
    assert [cell for cell, _, _ in archives(tmp_path / "j")[-1]["cells"]] == [[1]]


def test_the_same_seed_gives_the_same_archive(tmp_path: Path) -> None:
    for name in "ab":
        sizes(tmp_path / name, Function(sized), steps=5)
    assert archives(tmp_path / "a" / "j") == archives(tmp_path / "b" / "j")


def noise(values: Any, example: str, rep: int) -> float:
    return random.Random(f"{values}{example}{rep}").gauss(0, 1)


def reported(journal: Path, remeasure: bool) -> float:
    """The mean quality of elites, as the archive has it, after as many measurements."""
    function = Function(lambda v, e, rep: Scored(noise(dict(v), e, rep), measures={"size": float(v["size"] // 250)}))
    one = study((NumberParameter("size", 0, 999, integer=True),), {"size": 3}, train=1, validate=1)
    given: dict[str, Any] = {"descriptors": [AXIS], "remeasure": remeasure, "steps": 40 if remeasure else 80}
    conducted(map_elites, one, function, journal, **given)
    return fmean(quality for _, _, quality in archives(journal)[-1]["cells"])


def test_luck_does_not_stay_in_the_archive_if_incumbents_are_measured_again(tmp_path: Path) -> None:
    """All are worth 0: whatever is reported above that is luck."""
    once, again = reported(tmp_path / "once", False), reported(tmp_path / "again", True)
    assert once > 1.5
    assert again < 0.7 * once


def test_an_incumbent_is_measured_with_its_challengers_chance_and_once_a_round(tmp_path: Path) -> None:
    function = Function(sized)
    sizes(tmp_path, function, steps=12, initial=0)
    starts = [(at, key) for at, key in enumerate(function.asked) if key[1] == "train-0"]
    by_rep: dict[int, list[str]] = {}
    for _, (name, _, rep) in starts:
        by_rep.setdefault(rep, []).append(name)
    assert sorted(by_rep) == list(range(13))
    assert all(len(names) == len(set(names)) for names in by_rep.values())
    known = set(by_rep[0])
    challenged = 0
    for rep in range(1, 13):
        challenged += sum(name in known for name in by_rep[rep])
        known |= set(by_rep[rep])
    assert challenged > 12
    once = Function(sized)
    sizes(tmp_path / "once", once, steps=12, remeasure=False)
    assert {rep for _, _, rep in once.asked} == {0}


def editing(*texts: str) -> Callable[[Request, random.Random], str]:
    said = iter(texts)
    return lambda request, rng: document(value=next(said), note="as asked")


def test_editors_are_told_the_cell_in_words_and_the_last_tries_at_it(tmp_path: Path) -> None:
    one = study((TEXT,), {"text": "zero"}, train=1, validate=1)
    axis = Descriptor(measure="words", low=0.0, high=10.0, bins=1)
    texts = [f"try number {at} it is" for at in range(6)]
    given: dict[str, Any] = {"descriptors": [axis], "steps": 6, "batch": 1, "max_similarity": 1.0}
    conducted(map_elites, one, Function(worded), tmp_path / "j", answers=editing(*texts), **given)
    asked = sorted(prompts(tmp_path / "j"), key=lambda prompt: prompt.count("number"))
    assert [prompt.count("and scored 0.5") for prompt in asked] == [0, 1, 2, 3, 3, 3]
    assert "> try number 4 it is" in asked[-1] or "> try number 4 it is" in asked[-2]
    assert all("should score higher" in prompt for prompt in asked)  # the only cell there is, so it is in it already
    wide = Descriptor(measure="words", low=0.0, high=100.0, bins=100)
    given["descriptors"] = [wide]
    conducted(map_elites, one, Function(worded), tmp_path / "k", answers=editing(*texts), **given)
    assert any("Runs with it come to words 1; it should be from" in prompt for prompt in prompts(tmp_path / "k"))


def test_editors_are_shown_other_elites_to_cross(tmp_path: Path) -> None:
    one = study((TEXT,), {"text": "solo"}, {"text": "three words here"}, {"text": "and five words in all"})
    given: dict[str, Any] = {"descriptors": [WORDS], "steps": 1, "batch": 1, "vary": "crossover"}
    conducted(map_elites, one, Function(worded), tmp_path / "j", answers=editing("x y z"), **given)
    [prompt] = prompts(tmp_path / "j")
    assert "joins what is good" in prompt
    assert all(f"> {text}" in prompt for text in ("solo", "three words here", "and five words in all"))


@pytest.mark.parametrize(("most", "copies"), [(0.6, 4), (1.0, 0)])
def test_near_copies_are_dropped_and_counted(tmp_path: Path, most: float, copies: int) -> None:
    one = study((TEXT,), {"text": "say all of it at once and mean it"})
    answers = [f"say all of it at once and mean it {at}" for at in range(4)]
    given: dict[str, Any] = {"descriptors": [WORDS], "steps": 1, "batch": 4, "max_similarity": most}
    end, _ = conducted(map_elites, one, Function(worded), tmp_path / "j", answers=editing(*answers), **given)
    assert archives(tmp_path / "j")[-1]["children"].get("copies", 0) == copies
    assert end.tried == 5 - copies


@pytest.mark.parametrize(
    "reply", ["what?", "{}", document(value="", note=""), document(value="see {{ key }}", note="")]
)
def test_what_cannot_be_read_or_used_is_no_child(tmp_path: Path, reply: str) -> None:
    one = study((TEXT,), {"text": "do it"})
    given: dict[str, Any] = {"descriptors": [WORDS], "steps": 3, "batch": 2}
    end, _ = conducted(map_elites, one, Function(worded), tmp_path / "j", answers=lambda r, g: reply, **given)
    assert (end.tried, end.reason) == (1, "finished")
    assert archives(tmp_path / "j")[-1]["children"]["dropped"] == 2
    refused = [row for row in content(tmp_path / "j") if row[0] == "record" and row[2] == "refused"]
    assert len(refused) == 6


def test_where_nothing_belongs_the_start_is_what_there_is(tmp_path: Path) -> None:
    far = Descriptor(measure="size", low=100.0, high=200.0, bins=3)
    end, _ = sizes(tmp_path, Function(sized), descriptors=[far], outside="reject", steps=3)
    assert archives(tmp_path / "j")[-1]["coverage"] == 0
    assert end.best.values == {"size": 3, "skill": 0}


def test_what_validation_does_not_prefer_is_not_kept(tmp_path: Path) -> None:
    function = Function(lambda v, e, rep: sized(v, e, rep) if e.startswith("train") else -float(v["skill"]))
    end, _ = sizes(tmp_path, function, initial=0)
    assert max(quality for _, _, quality in archives(tmp_path / "j")[-1]["cells"]) > 0.9
    assert end.best.values == {"size": 3, "skill": 0}


def test_an_elite_does_not_challenge_itself(tmp_path: Path) -> None:
    one = study((ChoiceParameter("size", (0, 5)),), {"size": 0}, {"size": 5}, train=1, validate=1)
    function = Function(lambda v, e, rep: Scored(noise(dict(v), e, rep), measures={"size": float(v["size"])}))
    conducted(map_elites, one, function, tmp_path / "j", descriptors=[AXIS], steps=4, initial=0)
    assert [one["children"] for one in archives(tmp_path / "j")] == [{"new": 2}, *[{"dropped": 8}] * 4]
    assert {rep for _, _, rep in function.asked} == {0}


def test_children_may_take_after_two(tmp_path: Path) -> None:
    end, _ = sizes(tmp_path, Function(sized), crossover=1.0, spread=0.01, steps=10)
    assert sum(len(one.parents) == 2 for one in end.candidates.values()) >= 20
    alone, _ = sizes(tmp_path / "alone", Function(sized), steps=10)
    assert max(len(one.parents) for one in alone.candidates.values()) == 1


def test_its_price_is_never_exceeded(tmp_path: Path) -> None:
    one = study((SIZE, SKILL, TEXT), {"size": 3, "skill": 0, "text": "do it"}, train=3, validate=2)
    given: dict[str, Any] = {"descriptors": [AXIS], "steps": 7, "batch": 3, "initial": 4}

    def answers(request: Request, rng: random.Random) -> str:
        return document(value=f"word {rng.random()}", note="")

    for remeasure in (False, True):
        name = tmp_path / f"j{remeasure}"
        most = map_elites_most(one, **given, remeasure=remeasure)
        end, played = conducted(map_elites, one, Function(sized), name, answers=answers, **given, remeasure=remeasure)
        assert most.examples // 3 < end.examples <= most.examples
        assert 0 < len(played.asked) <= most.asks == 21
    assert map_elites_most(study((SIZE,), {"size": 1})).asks == 0


def test_cut_anywhere_it_goes_on_to_the_same_end(tmp_path: Path) -> None:
    one = study((TEXT,), {"text": "1"}, train=2, validate=2)

    def answers(request: Request, rng: random.Random) -> str:
        return (
            str(len(request.observation["text"]))
            if request.agent.id == "worker"
            else document(value=f"{rng.randrange(1000)}", note="")
        )

    class Worker(Asking):
        def __call__(self, *arguments: Any) -> Any:
            inner = super().__call__(*arguments)

            def program(ctx: Any) -> Any:
                run = yield from inner(ctx)
                return Scored(run.score, measures={"words": run.score}, usage=run.usage)

            return program

    given: dict[str, Any] = {"answers": answers, "descriptors": [WORDS], "steps": 3, "batch": 2}
    whole, first = conducted(map_elites, one, Worker("text"), tmp_path / "whole", **given)
    for calls in (1, 3, 5, 8, 11):
        path = tmp_path / str(calls)
        conducted(map_elites, one, Worker("text"), path, limits=Limits(calls=calls), **given)
        again, second = conducted(map_elites, one, Worker("text"), path, **given)
        assert again == whole
        assert len(second.asked) == len(first.asked) - calls
        assert list(content(path)) == list(content(tmp_path / "whole"))


def test_a_wall_ends_it_with_the_best_there_is(tmp_path: Path) -> None:
    end, _ = sizes(tmp_path, Function(sized), stops=Stops(examples=60))
    assert end.reason == "examples"
    assert 40 < end.examples <= 60
    assert end.best.values["skill"] > 0


@pytest.mark.parametrize(
    ("one", "axes", "said"),
    [
        (
            study((EdgesParameter("edges", ("a > b",)),), {"edges": {"a > b": 0.0}}),
            [AXIS],
            "the study has none of them",
        ),
        (study((SIZE, SKILL), {"size": 1, "skill": 1}, validate=0), [AXIS], "others to choose by"),
        (study((SIZE, SKILL), {"size": 1, "skill": 1}), [AXIS, AXIS], "each of another measure"),
        (
            study((SIZE, SKILL), {"size": 1, "skill": 1}),
            [AXIS.model_copy(update={"measure": "sise"})],
            "found 'sise'; did",
        ),
    ],
)
def test_studies_that_it_cannot_work_with_are_refused(
    tmp_path: Path, one: Study, axes: list[Descriptor], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        conducted(map_elites, one, Function(sized), tmp_path / "j", descriptors=axes)


def test_parameters_come_from_a_task_file() -> None:
    axis = {"measure": "calls", "low": 1, "high": 30, "bins": 7, "scale": "log"}

    def complain(name: str, message: str) -> Any:
        return UserError(f"{name}: {message}")

    read = checked(map_elites, {"descriptors": [axis], "choose": "curiosity"}, 2, complain)
    assert read["descriptors"] == [Descriptor.model_validate(axis)]
    for wrong in (
        {"descriptors": []},
        {"descriptors": [{"parameter": "x", "low": 0, "high": 1}]},
        {"descriptors": [axis], "batch": 0},
    ):
        with pytest.raises(UserError):
            checked(map_elites, wrong, 2, complain)


def test_it_is_found_by_its_file() -> None:
    assert OPTIMIZERS["map-elites"].program is map_elites
    assert ChoiceParameter.kind in OPTIMIZERS["map-elites"].kinds


def test_children_that_cannot_be_scored_get_no_cell_and_end_nothing(tmp_path: Path) -> None:
    def failing(values: Any, example: str, rep: int) -> Scored:
        lost = values["size"] > 5 and (example.startswith("train") or values["skill"] > 7)
        return Scored(None, error="no team", measures={"size": 0.0}) if lost else sized(values, example, rep)

    for again in (False, True):
        end, _ = sizes(tmp_path / str(again), Function(failing), initial=12, remeasure=again)
        assert (end.reason, end.missing > 0) == ("finished", True)
        assert end.best.values["skill"] > 6
        cells = [cell for one in archives(tmp_path / str(again) / "j") for cell, _, _ in one["cells"]]
        assert {cell[0] for cell in cells} <= set(range(6))
        assert sum(one["children"].get("unscored", 0) for one in archives(tmp_path / str(again) / "j")) > 5


def test_an_elite_that_cannot_be_validated_is_validated_later(tmp_path: Path) -> None:
    turns = Counter[str]()

    def busy(values: Any, example: str, rep: int) -> Scored:
        turns[example] += example.startswith("validate")
        return Scored(None, error="down") if 0 < turns[example] <= 2 else sized(values, example, rep)

    end, _ = sizes(tmp_path, Function(busy), steps=8)
    assert (end.reason, end.missing) == ("finished", 4)
    assert end.evaluation is not None
    assert end.evaluation.mean == end.best.values["skill"] / 9 > 0
