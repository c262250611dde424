"""Peers are measured with the same work, the same bytes and the same clocks, and nobody is dropped silently."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from benchmarks.peers.__main__ import bench, main
from benchmarks.peers.catalog import PEERS, Peer, Workload, workloads
from benchmarks.peers.driver import DEBATE_ROUNDS, DEBATERS, INSTRUCTIONS, LAYERS, WIDTH, Say, address, workload
from benchmarks.peers.endpoint import REPLY
from benchmarks.peers.processes import Endpoint
from benchmarks.peers.summary import Sample, lines, summarize, value
from benchmarks.peers.swarmmind import workload as own
from benchmarks.peers.venvs import NotInstalled, last_line, python_of

CPU = Workload("fan_out_200", {"workload": "fan_out"}, "cpu_ms_per_call")
HERE = Path(__file__).parents[2] / "benchmarks" / "peers"


class Crowd:
    """Agents that say what the endpoint says, and remember who was told what while how many others were at it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.busy = self.most_busy = 0

    def make(self, name: str) -> Say:
        async def say(prompt: str) -> str:
            self.told.append((name, prompt))
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            await anyio.lowlevel.checkpoint()
            self.busy -= 1
            return REPLY

        return say


def worked(wanted: dict[str, Any]) -> tuple[Crowd, Any]:
    crowd = Crowd()
    return crowd, anyio.run(workload, crowd.make, wanted)


def test_a_fan_out_asks_everybody_in_rounds_with_at_most_64_in_flight():
    crowd, spent = worked({"workload": "fan_out", "agents": 100, "calls": 300})
    assert spent["calls"] == 300
    assert spent["requests"] == len(crowd.told) == 64 + 300
    assert crowd.most_busy == 64
    after_warming_up = [name for name, _ in crowd.told[64:]]
    assert sorted(after_warming_up[:100]) == sorted(after_warming_up[100:200]) == sorted({n for n, _ in crowd.told})


def test_each_node_of_a_layer_reads_everything_the_layer_before_said():
    crowd, spent = worked({"workload": "layered"})
    asked = crowd.told[WIDTH:]
    assert spent["calls"] == len(asked) == LAYERS * WIDTH == 100
    assert len({name for name, _ in asked}) == 100
    read = [prompt.count("ANSWER: 40") for _, prompt in asked]
    assert read == [0] * WIDTH + [WIDTH] * (LAYERS - 1) * WIDTH


def test_each_debater_reads_all_others_and_not_itself():
    crowd, spent = worked({"workload": "debate"})
    asked = crowd.told[DEBATERS:]
    assert spent["calls"] == len(asked) == DEBATERS * DEBATE_ROUNDS == 32
    read = [prompt.count("ANSWER: 40") for _, prompt in asked]
    assert read == [0] * DEBATERS + [DEBATERS - 1] * (DEBATE_ROUNDS - 1) * DEBATERS


def test_memory_is_counted_for_agents_that_are_alive():
    held: list[bytes] = []

    def hoard(name: str) -> Say:
        held.append(bytes(10_000))
        return Crowd().make(name)

    spent: Any = anyio.run(workload, hoard, {"workload": "memory", "agents": 100})
    assert 10_000 < spent["bytes_per_agent"] < 14_000


def test_an_agent_that_says_something_else_is_not_measured():
    def make(name: str) -> Say:
        async def say(prompt: str) -> str:
            return "40"

        return say

    with pytest.raises(AssertionError, match="expected what the endpoint says, got '40'"):
        anyio.run(workload, make, {"workload": "debate"})


def test_agents_are_told_what_a_solver_is_told():
    assert INSTRUCTIONS.startswith("You solve problems carefully.")


def with_endpoint(use: Callable[[Endpoint], Any]) -> Any:
    async def run() -> Any:
        async with Endpoint(python_of(Peer("own", "own", "ours"))) as endpoint:
            return await use(endpoint)

    return anyio.run(run)


def test_the_endpoint_says_the_same_to_everybody_counts_and_keeps_its_latency():
    async def use(endpoint: Endpoint) -> Any:
        seen: list[Any] = []

        async def post(session: aiohttp.ClientSession, milliseconds: int) -> None:
            url = f"{endpoint.address}/{milliseconds}/v1/chat/completions"
            async with session.post(url, json={"messages": ["x" * 70_000]}) as response:
                seen.append((response.status, await response.read()))

        async with aiohttp.ClientSession() as session:
            began = anyio.current_time()
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(post, session, 50)
            took = anyio.current_time() - began
            counted = await endpoint.counts()
            await post(session, 0)
            async with session.get(f"{endpoint.address}/0/metrics") as missing:
                return seen, took, counted, await endpoint.counts(), missing.status

    seen, took, counted, later, status = with_endpoint(use)
    assert len(set(seen)) == 1
    assert seen[0][0] == 200
    assert json.loads(seen[0][1])["choices"][0]["message"]["content"] == REPLY
    assert took >= 0.05
    assert (counted["received"], counted["most_in_flight"]) == (8, 8)
    assert counted["bytes"] > 8 * 70_000
    assert (later["received"], status) == (1, 404)


@pytest.mark.parametrize("work", [w for w in workloads(200) if w.name != "fan_out_1000"], ids=lambda w: w.name)
def test_this_package_does_the_same_work_through_a_task(work: Workload):
    async def use(endpoint: Endpoint) -> Any:
        spent = await own({**work.asked, "address": endpoint.address})
        return spent, await endpoint.counts()

    spent, counted = with_endpoint(use)
    assert counted["received"] == spent["requests"]
    if work.measure == "kb_per_agent":
        assert spent["bytes_per_agent"] > 0
        return
    calls = {"fan_out_200": 200, "layered": 100, "debate": 32}[work.name]
    assert spent["calls"] == calls
    assert counted["received"] == calls + DEBATERS + {"layered": WIDTH, "debate": DEBATERS}.get(work.name, 0)
    quoted = {"fan_out_200": 0, "layered": 80 * WIDTH, "debate": 24 * (DEBATERS - 1)}[work.name]
    assert counted["bytes"] > counted["received"] * len(INSTRUCTIONS) + quoted * len(REPLY)
    assert spent["wall_seconds"] >= (work.ideal_ms or 0.0) / 1000
    assert spent["cpu_seconds"] > 0


def test_who_fails_is_named_and_the_others_are_measured(capsys: pytest.CaptureFixture[str]):
    peers = [
        Peer("aiohttp", "raw aiohttp", "client"),
        Peer("gone", "Gone", "framework"),
        Peer("swarmmind", "S", "ours"),
    ]
    document = anyio.run(functools.partial(bench, peers, repeats=1, calls=200))
    assert list(document["peers"]) == ["aiohttp", "swarmmind"]
    assert "benchmarks.peers.gone" in document["failed"]["gone"]
    assert document["peers"]["aiohttp"]["workloads"]["fan_out_200"]["ratio"] == 1.0
    assert document["peers"]["swarmmind"]["workloads"]["layered"]["wall_ms"] > 100
    assert document["peers"]["swarmmind"]["request_bytes"] > len(INSTRUCTIONS)
    shown = "\n".join(lines(document))
    assert "gone: not measured: " in shown
    assert "raw aiohttp" in shown


def test_who_sends_more_requests_than_it_says_is_not_measured():
    peers = [Peer("twice", "Twice", "framework", module="tests.benchmarks.twice")]
    document = anyio.run(functools.partial(bench, peers, repeats=1, calls=200))
    assert document["peers"] == {}
    assert document["failed"] == {"twice": "fan_out_200: sent 528 requests for 264 calls"}


def test_every_peer_has_a_driver_and_ours_needs_nothing_installed():
    for peer in PEERS:
        assert HERE.joinpath(peer.driver.rpartition(".")[2] + ".py").is_file(), peer
        assert bool(peer.requirements) == (peer.kind != "ours")
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_ratios_are_of_values_of_the_same_repeat():
    values = {"aiohttp": [1.0, 2.0, 4.0], "other": [10.0, 80.0, 100.0]}
    samples = [Sample(peer, CPU.name, at, v) for peer, all_ in values.items() for at, v in enumerate(all_)]
    other = summarize(samples, [CPU])["other"][CPU.name]
    assert other == {"cpu_ms_per_call": 80.0, "all": [10.0, 80.0, 100.0], "ratio": 25.0}
    alone = summarize([Sample("other", CPU.name, 0, 3.0)], [CPU])["other"][CPU.name]
    assert alone["ratio"] is None


def test_values_are_in_the_units_of_their_names():
    spent = {"cpu_seconds": 0.5, "calls": 1000, "wall_seconds": 0.1, "bytes_per_agent": 2048}
    assert value(CPU, spent) == 0.5
    assert value(CPU._replace(measure="wall_ms"), spent) == 100
    assert value(CPU._replace(measure="kb_per_agent"), spent) == 2


def test_slow_calls_have_an_address_of_their_own():
    where = {"address": "http://127.0.0.1:1"}
    assert address({"workload": "debate", **where}) == "http://127.0.0.1:1/20/v1"
    assert address({"workload": "fan_out", **where}) == "http://127.0.0.1:1/0/v1"


def test_only_known_peers_can_be_named(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--only", "lanchain"])
    assert "invalid choice: 'lanchain'" in capsys.readouterr().err


def test_an_environment_that_cannot_be_made_says_why_and_one_that_was_made_is_taken(tmp_path: Path):
    nothing = tmp_path / "nothing"
    peer = Peer("lost", "Lost", "framework", (str(nothing),))
    with pytest.raises(NotInstalled, match=r"ERROR: .*nothing"):
        python_of(peer, tmp_path)
    (tmp_path / "lost" / ".installed").write_text(str(nothing))
    assert python_of(peer, tmp_path) == tmp_path / "lost" / "bin" / "python"


def test_why_is_the_last_line_that_says_something():
    assert last_line("Traceback\n  there\nImportError: no\n\n") == "ImportError: no"
    assert last_line("") == ""
