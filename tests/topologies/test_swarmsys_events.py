from __future__ import annotations

from typing import Any

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.topologies.swarmsys.events import MAX_REASONS, MAX_TASK, Board, Event


def event(name: str, *needs: str, task: str = "", requires: str = "x", priority: int = 0) -> dict[str, Any]:
    task = task or f"task of {name}"
    return {"id": name, "task": task, "requires": requires, "depends_on": list(needs), "priority": priority}


def board(*documents: dict[str, Any], limit: int = 50) -> Board:
    made = Board(limit)
    assert made.propose([("e0", document) for document in documents])[1] == []
    return made


def taken(made: Board, most: int | None = None) -> list[str]:
    return [one.id for one in made.take(most)]


def finished(made: Board) -> list[str]:
    """Work on everything to its end; the order in which it could be done."""
    done: list[str] = []
    while events := made.take():
        for one in events:
            done.append(one.id)
            made.close(one, "validated", None)
    return done


def test_an_event_waits_for_all_it_needs_and_for_nothing_else() -> None:
    made = board(event("c", "a", "b"), event("a"), event("b", "a"), event("d"))
    assert taken(made) == ["a", "d"]
    assert taken(made) == []
    made.close(made.events["a"], "validated", None)
    assert taken(made) == ["b"]
    made.close(made.events["b"], "failed", None)
    assert taken(made) == ["c"]


def test_higher_priority_is_sooner_and_a_batch_is_no_larger_than_asked() -> None:
    made = board(event("low", priority=-3), event("a", priority=5), event("b"), event("c", priority=5))
    assert [taken(made, 2), taken(made, 1), taken(made, 9)] == [["a", "c"], ["b"], ["low"]]


def test_a_circle_is_refused_and_named() -> None:
    made = Board(50)
    proposals = [("e0", event("a", "c")), ("e0", event("b", "a")), ("e0", event("c", "b")), ("e0", event("d"))]
    changed, refused = made.propose(proposals)
    assert [one.id for one in changed] == ["d"]
    assert refused[0] == ("e0", "c", "it would wait for itself: c needs b needs a needs c")
    assert [(one.event, "not there" in one.reason) for one in refused[1:]] == [("a", True), ("b", True)]


def test_a_circle_that_two_explorers_make_together_is_refused_for_the_one_that_closes_it() -> None:
    made = board(event("b"))
    changed, refused = made.propose([("e0", event("a", "b")), ("e1", event("b", "a"))])
    assert [one.id for one in changed] == ["a"]
    assert refused == [("e1", "b", "it would wait for itself: b needs a needs b")]
    assert made.events["b"].depends_on == ()
    assert finished(made) == ["b", "a"]


def test_an_event_that_needs_itself_is_refused() -> None:
    assert Board(9).propose([("e0", event("a", "a"))])[1][0].reason == "it would wait for itself: a needs a"


def test_a_refused_revision_takes_back_its_place_among_the_others() -> None:
    made = board(event("a"), event("b", "a"))
    changed, refused = made.propose([("e0", event("b", "nobody")), ("e1", event("a", "b"))])
    assert changed == []  # else a would wait for b, which still waits for a
    assert [one.event for one in refused] == ["b", "a"]
    assert finished(made) == ["a", "b"]


def test_what_depends_on_something_unknown_or_refused_is_refused() -> None:
    changed, refused = Board(9).propose([("e0", event("a", "x")), ("e1", event("b", "a")), ("e1", event("c"))])
    assert [one.id for one in changed] == ["c"]
    assert refused == [
        ("e0", "a", "it depends on 'x', which is not there"),
        ("e1", "b", "it depends on 'a', which is not there"),
    ]


def test_one_id_or_the_same_words_are_one_event() -> None:
    made = Board(9)
    changed, refused = made.propose(
        [
            ("e0", event("a", task="Convert 12 to the binary system.")),
            ("e1", event("a", task="convert 12 to the  binary system")),
            ("e1", event("z", task="convert 12 to binary system")),
            ("e1", event("b", task="Convert 13 to the binary system.")),
            ("e1", event("c", "z")),
        ]
    )
    assert [one.id for one in changed] == ["a", "b", "c"]
    assert refused == []
    assert made.events["c"].depends_on == ("a",)
    assert made.propose([("e1", event("y", task="CONVERT 12 to binary system!"))]) == ([], [])


def test_an_id_that_another_event_of_the_turn_has_is_refused_and_not_passed_over() -> None:
    made = Board(9)
    changed, refused = made.propose([("e0", event("a", task="Read it.")), ("e1", event("a", task="Write it."))])
    assert [(one.by, one.task) for one in changed] == [("e0", "Read it.")]
    assert refused == [("e1", "a", "this id was given to another event by e0")]


def test_a_revised_event_is_in_the_words_of_who_revised_it() -> None:
    made = board(event("a"), event("b"))
    made.propose([("e1", event("a", task="better"))])
    assert [one.by for one in made.events.values()] == ["e1", "e0"]


def test_a_revision_is_refused_for_a_circle_only_with_what_stands() -> None:
    made = board(event("a"), event("b", "a"))
    changed, refused = made.propose([("e0", event("b")), ("e0", event("a", "c", "b")), ("e0", event("c", "b"))])
    assert ([one.id for one in changed], refused) == (["b", "a", "c"], [])
    assert finished(made) == ["b", "c", "a"]


def test_thousands_of_impossible_events_are_refused_in_no_time() -> None:
    """Each is refused once, whatever the others do: no refusal begins all over."""
    count = 3000
    made = Board(100_000)
    chain = [("e0", event(str(at), str(at + 1))) for at in range(count)]
    circle = [("e1", event(f"c{at}", f"c{(at + 1) % count}")) for at in range(count)]
    changed, refused = made.propose([*chain, *circle])
    assert (changed, len(refused)) == ([], 2 * count)
    assert made.propose([("e0", event("0")), ("e0", event("c5", "0"))])[1] == []


def test_an_open_event_can_be_revised_and_a_closed_one_cannot() -> None:
    made = board(event("a"), event("b"), event("c"))
    assert taken(made, 1) == ["a"]
    made.close(made.events["a"], "validated", None)
    changed, refused = made.propose([("e0", event("b", "c", task="better")), ("e0", event("a", task="again"))])
    assert [(one.id, one.task, one.vector) for one in changed] == [("b", "better", None)]
    assert refused == [("e0", "a", "it is validated already")]
    assert made.propose([("e0", event("a"))]) == ([], [])  # says nothing new
    assert finished(made) == ["c", "b"]


def test_there_are_never_more_events_than_the_limit() -> None:
    made = Board(2)
    changed, refused = made.propose([("e0", event(name)) for name in "abc"])
    assert [one.id for one in changed] == ["a", "b"]
    assert refused == [("e0", "c", "there may be no more than 2 events")]
    assert made.full


def test_what_explorers_write_is_kept_within_bounds() -> None:
    strange = {"id": " [x]\n,y " + "z" * 99, "task": "t" * 99_999, "requires": "a\nb" * 99}
    made = board({**strange, "depends_on": [], "priority": 10**400})
    [one] = made.events.values()
    assert one.id.startswith("-x-y-zz")
    assert (len(one.id), len(one.task), len(one.requires), one.priority) == (40, MAX_TASK, 60, 1000)
    assert "\n" not in one.requires


def test_a_reopened_event_comes_again_with_its_latest_reasons() -> None:
    made = board(event("a"))
    for number in range(5):
        [one] = made.take()
        made.reopen(one, [("v0", f"reason {number}")])
    assert made.events["a"].reasons == [("v0", f"reason {number}") for number in range(5 - MAX_REASONS, 5)]
    assert taken(made) == ["a"]


NAMES = "abcdefg"


def proposal(by: str, name: str, needs: list[str], task: int, priority: int) -> tuple[str, dict[str, Any]]:
    return by, event(name, *needs, task=f"task {task}", priority=priority)


PROPOSAL = st.builds(
    proposal,
    st.sampled_from(["e0", "e1"]),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(NAMES), max_size=3),
    st.integers(0, 9),
    st.integers(-1, 1),
)


@given(st.lists(st.lists(PROPOSAL, max_size=8), max_size=5), st.integers(0, 3))
def test_whatever_is_proposed_nothing_ever_waits_for_good(turns: list[list[Any]], closing: int) -> None:
    made = Board(6)
    for turn in turns:
        changed, refused = made.propose(turn)
        assert len(changed) + len(refused) <= len(turn)
        graph = nx.DiGraph((need, one.id) for one in made.events.values() for need in one.depends_on)
        assert nx.is_directed_acyclic_graph(graph)
        assert set(graph) <= set(made.events)
        for number, one in enumerate(made.take()):
            if number < closing:
                made.close(one, "validated", None)
            else:
                made.reopen(one, [])
    open_before = [one.id for one in made.open()]
    done = finished(made)
    assert sorted(done) == sorted(open_before)
    assert made.idle()
    place = {name: at for at, name in enumerate(done)}
    events: list[Event] = [made.events[name] for name in done]
    assert all(place[need] < place[one.id] for one in events for need in one.depends_on if need in place)
