"""The Pareto pool: who survives, who is drawn, what an editor sees, what is scored, what is kept."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from swarmmind.effects import Limits
from swarmmind.errors import UserError
from swarmmind.optimizers.archives.pareto_fronts import ParetoFronts
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.conduct import Stops
from swarmmind.optimizers.merging import merges, stratified
from swarmmind.optimizers.parameters import NumberParameter, TextParameter
from swarmmind.optimizers.pareto import pareto, pareto_most
from swarmmind.optimizers.study import Evaluation, Scored, Split, Study
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from tests.optimizers.hills import Asking, Function, conducted, document, study

PROMPT = TextParameter("prompt")


def seen(name: str, *scores: float | None, parents: tuple[str, ...] = ()) -> Evaluation:
    one = candidate({"prompt": name}, parents)
    return Evaluation(one, "validate", {f"v{at}": score for at, score in enumerate(scores)}, {})


def pool(*evaluations: Evaluation) -> ParetoFronts:
    fronts = ParetoFronts()
    for one in evaluations:
        fronts.add(one)
    return fronts


def names(members: list[Evaluation]) -> list[str]:
    return [one.candidate.values["prompt"] for one in members]


def test_a_candidate_that_alone_wins_something_survives_and_a_copy_does_not() -> None:
    fronts = pool(seen("leads", 1, 1, 0), seen("copy", 1, 1, 0), seen("odd", 0, 0, 1), seen("never", 0, 0, 0))
    assert names(fronts.survivors()) == ["copy", "odd"]  # of equals, the latest
    assert {example: names(won) for example, won in fronts.fronts(pruned=False).items()} == {
        "v0": ["leads", "copy"],
        "v1": ["leads", "copy"],
        "v2": ["odd"],
    }


def test_the_worst_goes_first() -> None:
    fronts = pool(seen("both", 1, 1, 0.5), seen("left", 1, 0, 0.9), seen("right", 0, 1, 0.9))
    assert names(fronts.survivors()) == ["both", "right"]
    assert fronts.best is not None
    assert fronts.best.candidate.values["prompt"] == "both"


def test_a_missing_score_wins_nothing_and_does_not_count_against_the_best() -> None:
    fronts = pool(seen("whole", 0.5, 0.5), seen("lucky", None, 0.6), seen("blank", None, 0.2))
    assert {example: names(won) for example, won in fronts.fronts().items()} == {"v0": ["whole"], "v1": ["lucky"]}
    assert fronts.best is not None
    assert fronts.best.candidate.values["prompt"] == "lucky"  # better where both have a score


def test_draws_are_as_likely_as_wins() -> None:
    fronts = pool(seen("many", 1, 1, 1, 0), seen("one", 0, 0, 0, 1), seen("spare", 1, 0, 0, 0))
    rng = random.Random(3)
    drawn = Counter(one.candidate.values["prompt"] for one in (fronts.draw(rng) for _ in range(4000)) if one)
    assert set(drawn) == {"many", "one"}
    assert abs(drawn["many"] / 4000 - 0.75) < 0.03
    unpruned = {one.candidate.values["prompt"] for one in (fronts.draw(rng, pruned=False) for _ in range(400)) if one}
    assert unpruned == {"many", "one", "spare"}
    assert fronts.draw(rng, among=[fronts.members[2]]) is fronts.members[2]


@examples(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=5, max_size=5), min_size=1, max_size=9))
def test_pruning_leaves_every_example_a_winner_and_nobody_to_spare(rows: list[list[float | None]]) -> None:
    fronts = pool(*(seen(str(at), *row) for at, row in enumerate(rows)))
    left, whole = fronts.fronts(), fronts.fronts(pruned=False)
    assert left.keys() == whole.keys() == {f"v{at}" for at in range(5) if any(row[at] is not None for row in rows)}
    for example, won in left.items():
        record = max(one.scores[example] or 0.0 for one in whole[example])
        assert won
        assert all(one.scores[example] == record for one in whole[example])
        assert all(one.scores[example] == record for one in won)
    for one in fronts.survivors():
        assert any([one] == won for won in left.values())


# --- merging ----------------------------------------------------------------------------------------------------------


def tree() -> tuple[Candidate, Candidate, Candidate]:
    root = candidate({"a": "a0", "b": "b0", "c": "c0"})
    return root, root.child({"a": "a1", "c": "c1"}), root.child({"b": "b2", "c": "c2"})


def on(one: Candidate, *scores: float) -> Evaluation:
    return Evaluation(one, "validate", {f"v{at}": score for at, score in enumerate(scores)}, {})


def test_a_merge_takes_what_changed_and_of_what_both_changed_the_better_parents() -> None:
    root, one, other = tree()
    fronts = pool(on(root, 0.1, 0.1, 0.1), on(one, 1, 0, 0.2), on(other, 0, 1, 0.3))
    [merge] = merges(fronts, ["a", "b", "c"])
    assert merge.child.values == {"a": "a1", "b": "b2", "c": "c2"}
    assert merge.child.parents == (one.id, other.id)
    fronts.add(on(merge.child, 1, 1, 0.3))
    assert merges(fronts, ["a", "b", "c"]) == []


def test_no_merge_with_a_descendant_nor_below_a_better_ancestor() -> None:
    root, one, other = tree()
    assert merges(pool(on(root, 0.9, 0.9, 0.9), on(one, 1, 0, 0), on(other, 0, 1, 0)), ["a", "b", "c"]) == []
    child = one.child({"a": "a9", "b": "b3"})
    assert merges(pool(on(root, 0, 0, 0), on(one, 1, 1, 0), on(child, 0, 0, 1)), ["a", "b", "c"]) == []


def test_merges_are_compared_on_all_sorts_of_examples() -> None:
    one, other = seen("a", *[1.0] * 10, *[0.0] * 10, *[0.5] * 10), seen("b", *[0.0] * 10, *[1.0] * 10, *[0.5] * 10)
    drawn = stratified(one, other, random.Random(1))
    gaps = [(one.scores[id_] or 0) - (other.scores[id_] or 0) for id_ in drawn]
    assert sorted(gaps) == [-1.0, -1.0, 0.0, 1.0, 1.0]
    assert len(stratified(seen("a", 1, None, 0), seen("b", 0, 1, None), random.Random(1))) == 1


# --- the program ------------------------------------------------------------------------------------------------------


def digits(values: Mapping[str, Any], example: str, rep: int) -> Scored:
    """Every text is a digit; an example is its sum."""
    total = sum(int(value) for value in values.values())
    return Scored(total / (9 * len(values)), total, f"{example} wants nines", question=f"Q-{example}", target="nines")


def raises(request: Request, rng: random.Random) -> str:
    assert request.observation["do"] == "reflect"
    return document(value=str(min(int(request.observation["value"]) + 1, 9)), note="one more")


def test_it_climbs_and_keeps_what_is_best_on_validation(tmp_path: Path) -> None:
    function = Function(digits)
    given = study((PROMPT,), {"prompt": "1"})
    end, played = conducted(pareto, given, function, tmp_path / "j", answers=raises, steps=20)
    assert (end.best.values["prompt"], end.reason) == ("9", "finished")
    assert len(played.asked) == 8  # the ninth parent is perfect: nothing is asked any more
    most = pareto_most(given, steps=20)
    assert len(function.asked) == end.examples <= most.examples
    assert len(played.asked) <= most.asks


def test_a_reflection_shows_its_batch_and_nothing_of_validation(tmp_path: Path) -> None:
    conducted(pareto, study((PROMPT,), {"prompt": "1"}), Function(digits), tmp_path / "a", answers=raises, steps=1)
    [prompt] = [row for row in map(str, content(tmp_path / "a")) if "Improve one part" in row]
    assert sum(f"Q-train-{at}\\\\" in prompt or f"Q-train-{at}\\n" in prompt for at in range(10)) == 3
    assert "wants nines" in prompt
    assert "Q-validate" not in prompt
    assert "validate-" not in prompt


def test_the_gate_lets_only_what_is_better_on_the_batch_be_scored_on_validation(tmp_path: Path) -> None:
    def same(request: Request, rng: random.Random) -> str:
        return document(value=f"0{request.observation['value']}", note="")

    function = Function(digits)
    given = study((PROMPT,), {"prompt": "1"})
    end, _ = conducted(pareto, given, function, tmp_path / "a", answers=same, steps=3)
    assert [example for one, example, _ in function.asked if one != given.start[0].id and example[0] == "v"] == []
    assert end.best == given.start[0]
    function = Function(digits)
    conducted(pareto, given, function, tmp_path / "b", answers=same, steps=1, accept="not-worse")
    assert sum(one != given.start[0].id and example[0] == "v" for one, example, _ in function.asked) == 10


@pytest.mark.parametrize(("components", "asks", "want"), [("round-robin", 4, ["3", "3"]), ("all", 8, ["5", "5"])])
def test_texts_take_turns_or_change_together(tmp_path: Path, components: Any, asks: int, want: list[str]) -> None:
    given = study((PROMPT, TextParameter("other")), {"prompt": "1", "other": "1"})
    end, played = conducted(
        pareto, given, Function(digits), tmp_path / "j", answers=raises, steps=4, components=components
    )
    assert list(end.best.values.values()) == want
    assert len(played.asked) == asks <= pareto_most(given, steps=4, components=components).asks


def test_merging_joins_what_two_branches_learned(tmp_path: Path) -> None:
    """Half of the examples need the first text, half the second; an editor only knows how to improve a virgin team."""

    def halves(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        good = values["prompt" if int(example.split("-")[1]) % 2 else "other"] == "good"
        return Scored(float(good), "virgin" if set(values.values()) == {"poor"} else "changed")

    def say(request: Request, rng: random.Random) -> str:
        virgin = request.observation["cases"][0]["output"] == "virgin"
        return document(value="good" if virgin else "lost", note="")

    given = study((PROMPT, TextParameter("other")), {"prompt": "poor", "other": "poor"})
    ended = [
        conducted(
            pareto, given, Function(halves), tmp_path / f"j{merge}", answers=say, steps=12, batch=10, prune=False,
            merge=merge,
        )[0]
        for merge in (0, 5)
    ]  # fmt: skip
    assert [end.evaluation.mean for end in ended if end.evaluation] == [0.5, 1.0]
    assert ended[1].best.values == {"prompt": "good", "other": "good"}
    assert len(ended[1].best.parents) == 2


@pytest.mark.parametrize("said", ["no JSON", document(value="", note=""), document(value="no {{ such }}", note="")])
def test_what_cannot_be_read_or_has_problems_is_no_change(tmp_path: Path, said: str) -> None:
    given = study((PROMPT,), {"prompt": "1"})
    end, _ = conducted(pareto, given, Function(digits), tmp_path / "j", answers=lambda request, rng: said, steps=3)
    assert (end.best, end.reason, end.tried) == (given.start[0], "finished", 1)
    assert sum("refused" in map(str, row) for row in content(tmp_path / "j")) == 3


def test_stopped_and_resumed_it_asks_nothing_twice(tmp_path: Path) -> None:
    def say(request: Request, rng: random.Random) -> str:
        if request.agent.id == "worker":
            return str(int(request.observation["prompt"]) / 9)
        return raises(request, rng)

    def part(name: str, calls: int | None = None) -> Any:
        given, limits = study((PROMPT,), {"prompt": "1"}), Limits(calls=calls)
        return conducted(pareto, given, Asking("prompt"), tmp_path / name, answers=say, limits=limits, steps=5)

    whole, first = part("whole")
    for calls in (3, 14, 17, 18, 40):
        _, before = part(f"cut{calls}", calls)
        again, after = part(f"cut{calls}")
        assert again == whole
        assert len(before.asked) + len(after.asked) == len(first.asked)
        assert list(content(tmp_path / f"cut{calls}")) == list(content(tmp_path / "whole"))


def test_the_wall_of_examples_stands(tmp_path: Path) -> None:
    for wall in (10, 25, 41):
        function = Function(digits)
        given, stops = study((PROMPT,), {"prompt": "1"}), Stops(examples=wall)
        end, _ = conducted(pareto, given, function, tmp_path / f"j{wall}", answers=raises, stops=stops)
        assert end.reason == "examples"
        assert len(function.asked) == end.examples <= wall


def test_a_study_it_cannot_work_with_is_refused(tmp_path: Path) -> None:
    def go(given: Study) -> None:
        conducted(pareto, given, Function(digits), tmp_path / "j")

    with pytest.raises(UserError, match="needs a parameter of the kind text"):
        go(study((NumberParameter("x", 0, 1),), {"x": 0.5}))
    with pytest.raises(UserError, match="needs examples under 'validate'"):
        go(study((PROMPT,), {"prompt": "1"}, validate=0))
    with pytest.raises(UserError, match="needs examples under 'train'"):
        go(study((PROMPT,), {"prompt": "1"})._replace(train=Split("train", (), quotable=True)))
