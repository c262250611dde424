from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import TEXT, Agent, Message, Sampling
from swarmmind.models.prefixes import DIGEST_BYTES, PARTS, heads
from swarmmind.models.wire import Writer
from swarmmind.ports import Request

AGENTS = [Agent(f"a{at}", "worker", "") for at in range(2)]


def prefix(*texts: str, agent: int = 0, writer: Writer | None = None) -> bytes:
    """Of a prompt of these messages."""
    roles = ("system", "user", "assistant")
    messages = tuple(Message(roles[min(at, 1 + (at + 1) % 2)], text) for at, text in enumerate(texts))
    return (writer or Writer("m")).body(Request(AGENTS[agent], messages, TEXT, Sampling(), 7)).prefix


def shared(one: bytes, other: bytes) -> int:
    """How many parts two prefixes have in common."""
    groups = set(heads(one))
    return max((len(head) // DIGEST_BYTES for head in heads(other) if head in groups), default=0)


def test_prompts_share_as_many_parts_as_messages() -> None:
    assert shared(prefix("rules", "problem", "a"), prefix("rules", "problem", "b")) == 2
    assert shared(prefix("rules", "problem", "a"), prefix("rules", "other", "a")) == 1
    assert shared(prefix("rules", "x"), prefix("laws", "x")) == 0
    assert shared(prefix("rules", "x"), prefix("rules", "x", agent=1)) == 2


def test_a_long_message_shares_its_head() -> None:
    problem = "What is to be done? " * 250  # 5,000 characters
    one, other = prefix(problem + "first pair"), prefix(problem + "second pair")
    assert shared(one, other) == 2  # cuts at 1,024 and 4,096 bytes
    assert one != other
    assert shared(one, prefix(problem[:2000])) == 1


def test_a_conversation_that_goes_on_begins_with_the_one_before() -> None:
    writer, long = Writer("m"), "a long first turn " * 400
    before = prefix("rules", long, writer=writer)
    assert prefix("rules", long, "said", "and now?", writer=writer).startswith(before)


def test_a_long_history_is_cut_where_it_is_one_agents_alone() -> None:
    turns = [f"turn {at}" for at in range(50)]
    assert len(prefix("rules", *turns)) == PARTS * DIGEST_BYTES
    assert prefix("rules", *turns) == prefix("rules", *turns[:-1], "another end")


def test_it_is_the_same_in_every_process() -> None:
    assert prefix("rules", "problem").hex() == "4af1fff064cea4ce"


@given(st.lists(st.text(max_size=3000), min_size=1, max_size=6), st.lists(st.text(max_size=3000), max_size=6))
def test_what_is_not_shared_is_not_said_to_be(mine: list[str], more: list[str]) -> None:
    one, other = prefix(*mine), prefix(*mine, *more)
    assert other.startswith(one)
    assert shared(prefix(*mine), prefix("\0" + mine[0], *more)) == 0
