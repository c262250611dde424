from __future__ import annotations

import json
import random
import re
from pathlib import Path

from swarmmind.effects import Agent, Program
from swarmmind.evals.agentsnet import AgentsNet
from swarmmind.evals.agentsnet.reading import MARKER
from swarmmind.memory import memory
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.testing.play import MODEL, Played, play
from swarmmind.topologies import Society
from swarmmind.topologies.world import world

CARD = "You are a peer."


class Reader:
    """Elects the agent with the smallest name, from nothing but the words of its prompts."""

    def __init__(self, stutter: bool = False) -> None:
        self.prompts: list[Request] = []
        self._stutter = stutter

    def __call__(self, request: Request, rng: random.Random) -> str:
        self.prompts.append(request)
        first, last = request.messages[1].content, request.messages[-1].content
        own = re.findall(r"Your name is (\w+)\.", first)[0]
        near = re.findall(r"Your neighbors are: ([\w, ]+)\.", first)[0].split(", ")
        heard = [name for message in request.messages for name in re.findall(r"^> (\w+)$", message.content, re.M)]
        smallest = min([own, *near, *heard])
        if self._stutter and "could not be read" not in last:
            return "Let me think ..."
        if MARKER in last:
            return f"I know of {smallest}. {MARKER} {'Yes' if smallest == own else 'No'}"
        return f"Telling all of {smallest}:\n{json.dumps(dict.fromkeys(near, smallest))}"


def elect(game: AgentsNet, reader: Reader, journal: Path) -> Played:
    team = [Agent(f"peer-{at}", "peer", CARD, MODEL, index=at) for at in range(len(game.agents))]

    def program(ctx: Context) -> Program:
        return world(ctx, Society(team, memory("none")(), environment=game))

    return play(program, journal, model=ScriptedFunction(reader))


def test_an_agent_that_only_reads_its_prompts_can_solve_a_network(tmp_path: Path) -> None:
    game, reader = AgentsNet("leader_election", 16, "dt", 1), Reader()
    result = elect(game, reader, tmp_path / "journal.sqlite")
    assert result.outcome.ok
    assert game.score == 1
    assert len(reader.prompts) == game.rounds * 16
    for request in reader.prompts:
        roles = [message.role for message in request.messages]
        assert roles == ["system", *["user", "assistant"] * (len(roles) // 2 - 1), "user"]
        assert request.messages[0].content == CARD
    assert max(len(request.messages) for request in reader.prompts) == 2 * game.rounds


def test_an_agent_that_is_understood_at_the_second_go_still_solves_it(tmp_path: Path) -> None:
    game, reader = AgentsNet("leader_election", 8, "ba", 0), Reader(stutter=True)
    elect(game, reader, tmp_path / "journal.sqlite")
    assert game.score == 1
    assert len(reader.prompts) == 2 * game.rounds * 8
    assert game.metrics()["fallbacks"] == game.rounds * 8
    assert game.metrics()["failed_json"] == 0


def test_a_resumed_game_asks_nobody_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    first = elect(AgentsNet("leader_election", 8, "ws", 0), Reader(), journal)
    reader, game = Reader(), AgentsNet("leader_election", 8, "ws", 0)
    again = elect(game, reader, journal)
    assert reader.prompts == []
    assert again.outcome == first.outcome
    assert game.score == 1
