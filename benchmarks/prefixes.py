"""Does a server read once what many agents share? Sending by prefix against sending in a shuffled order.

    python -m benchmarks.prefixes                                       # one of this repository's servers, on the CPU
    python -m benchmarks.prefixes --base-url http://127.0.0.1:8000/v1 --model NAME      # any vLLM that is up

Agents in groups: those of a group share about 1,000 tokens of instructions, and each has a question of its own. They
are asked all at once, in a shuffled order, through the whole product: plan, driver, line, limiter, journal. The KV
cache is smaller than what all groups share and 64 requests need, so whoever sends in that order has it read again. The
other arm is the same run, told nothing of what prompts share. Hits are the server's own counters; all that there can be
are whole cache blocks of the shared head, for every agent of a group but its first. Texts are new in each turn.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request as Get
from urllib.request import urlopen

import anyio

from benchmarks.store import store
from swarmmind.effects import Ask, Message, Program
from swarmmind.models.chat import ChatModel
from swarmmind.models.gauges import Snapshot, read
from swarmmind.models.wire import Body, Writer
from swarmmind.ports import Context, Request
from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.folder import create
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.result import Result
from swarmmind.spec import load_task_data
from tests.integration.vllm_server import serving

BLOCKS = 160
"""Of 128 tokens: 64 requests need some 128 for what is theirs alone, and each group's head 7."""

_WORDS = (
    "the",
    "import",
    "def",
    "class",
    "return",
    "value",
    "for",
    "in",
    "self",
    "error",
    "name",
    "path",
    "open",
    "read",
)
_SHARED_WORDS, _OWN_WORDS, _TOKENS = 960, 40, 16
_SETTLE_SECONDS = 0.5  # the server's counters lag a little


class Workload(NamedTuple):
    """Who is asked, and where.

    Attributes:
        base_url: the server.
        model: by the name it has there.
        groups: that share their instructions.
        members: of each group.
        in_flight: requests at once at most; `None`: as many as the limiter finds.
    """

    base_url: str
    model: str = "tiny"
    groups: int = 24
    members: int = 10
    in_flight: int | None = 64

    def look(self) -> Snapshot:
        """What the server says."""
        with urlopen(self.base_url.removesuffix("/v1") + "/metrics", timeout=30) as response:
            seen = read(response.read().decode())
        if seen is None or seen.hit_tokens is None:
            raise SystemExit(f"{self.base_url}: has no /metrics that count prefix cache hits")
        return seen

    def tokens(self, messages: list[dict[str, str]]) -> list[int]:
        """A prompt as the server reads it."""
        body = json.dumps({"model": self.model, "messages": messages}).encode()
        url = self.base_url.removesuffix("/v1") + "/tokenize"
        with urlopen(Get(url, body, {"Content-Type": "application/json"}), timeout=30) as response:
            return json.loads(response.read())["tokens"]


class Turn(NamedTuple):
    """One arm's turn at the server.

    Attributes:
        seconds: how long it took.
        hits: tokens found in the prefix cache.
        possible: tokens that could have been.
        result: of the run.
    """

    seconds: float
    hits: int
    possible: int
    result: Result

    @property
    def share(self) -> float:
        """Of all that could be hit."""
        return self.hits / self.possible


class _Forgetful(Writer):
    """Tells nobody what requests share."""

    def body(self, request: Request) -> Body:
        return super().body(request)._replace(prefix=b"")


def _text(words: int, *seed: object) -> str:
    rng = random.Random("/".join(map(str, seed)))
    return " ".join(rng.choice(_WORDS) for _ in range(words))


def project(folder: Path, work: Workload, seed: int) -> Plan:
    """A population of groups: a role card each."""
    (folder / "agents").mkdir(parents=True)
    names = [f"group-{number}" for number in range(work.groups)]
    for name in names:
        card = f"---\nname: {name}\ndescription: One of a group.\n---\n{_text(_SHARED_WORDS, seed, name)}\n"
        (folder / "agents" / f"{name}.md").write_text(card)
    limits = {} if work.in_flight is None else {"limits": {"concurrency": work.in_flight}}
    extra = {"ignore_eos": True}
    task = {
        "problem": "What is next?",
        "model": {"name": f"vllm/{work.model}", "base_url": work.base_url, "extra": extra, **limits},
        "sampling": {"max_tokens": _TOKENS},
        "swarm": {"agents": dict.fromkeys(names, work.members), "topology": "vote"},
        "seed": seed,
    }
    plan = make_plan(load_task_data(task, folder))
    asks = [
        Ask(agent, (*plan.society.system(agent), Message("user", _text(_OWN_WORDS, seed, agent.id))))
        for agent in plan.society.agents
    ]

    def fan_out(ctx: Context) -> Program:
        replies = yield ctx.rng("order").sample(asks, len(asks))
        return sum(reply.ok for reply in replies)

    return plan._replace(program=fan_out)


def possible(work: Workload, plan: Plan, block: int) -> int:
    """The tokens of all whole blocks of shared heads, for every agent of a group but its first."""
    found = 0
    for number in range(work.groups):
        one, other = plan.society.members(f"group-{number}")[:2]
        first, second = (
            work.tokens(
                [
                    {"role": "system", "content": agent.instructions},
                    {"role": "user", "content": _text(_OWN_WORDS, plan.task.seed, agent.id)},
                ]
            )
            for agent in (one, other)
        )
        shared = next(at for at, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])
        found += (work.members - 1) * (shared // block) * block
    return found


def turn(work: Workload, seed: int, *, ordered: bool) -> Turn:
    """One run, and what the server counted meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = project(folder, work, seed)
        before = work.look()
        all_there_is = possible(work, plan, int(before.setup["block_size"]))
        began = time.perf_counter()
        result = anyio.run(_play, plan, folder, ordered)
        seconds = time.perf_counter() - began
    if result.coverage.finished != len(plan.society.agents):
        raise SystemExit(f"not everybody answered: {result.failures[:3]}")
    time.sleep(_SETTLE_SECONDS)
    return Turn(seconds, (work.look().hit_tokens or 0) - (before.hit_tokens or 0), all_there_is, result)


async def _play(plan: Plan, folder: Path, ordered: bool) -> Result:
    models = Models(plan, {})
    for model in models.by_name.values():
        if not ordered and isinstance(model, ChatModel):
            writer = model.writer
            model.writer = _Forgetful(writer.model, writer.dialect, writer.max_tokens_field, writer.extra)
    return await execute(plan, create(folder, "prefixes", "", {}), models, manner=Manner(result_of))


def measure(work: Workload, repeats: int) -> dict[str, Any]:
    """Both arms in turn, each with texts of its own."""
    turn(work._replace(groups=2), -1, ordered=True)  # warm
    turns: dict[bool, list[Turn]] = {True: [], False: []}
    for number in range(repeats):
        for ordered in (True, False) if number % 2 else (False, True):
            one = turn(work, 2 * number + ordered, ordered=ordered)
            turns[ordered].append(one)
            arm = "by prefix" if ordered else "shuffled "
            print(f"{arm} {one.seconds:6.2f} s, {one.share:.1%} of the possible hits", flush=True)
    ratios = [mine.seconds / other.seconds for mine, other in zip(turns[True], turns[False], strict=True)]
    last = turns[True][-1].result
    return {
        "agents": work.groups * work.members,
        "groups": work.groups,
        "in_flight": work.in_flight,
        "cache_blocks": work.look().setup.get("num_gpu_blocks"),
        "block_tokens": work.look().setup.get("block_size"),
        "possible_hits_by_prefix": round(statistics.median(one.share for one in turns[True]), 4),
        "possible_hits_shuffled": round(statistics.median(one.share for one in turns[False]), 4),
        "seconds_by_prefix": round(statistics.median(one.seconds for one in turns[True]), 3),
        "seconds_shuffled": round(statistics.median(one.seconds for one in turns[False]), 3),
        "ratios": [round(ratio, 4) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 4),
        "told_prompt_tokens": last.served[0].prompt_tokens,
        "told_cached_tokens": last.served[0].cached_tokens,
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="Prefix cache hits and wall time, by prefix and shuffled.")
    parser.add_argument("--base-url", help="a server that is up; by default one is started on the CPU")
    parser.add_argument("--model", default="tiny", help="the name the server knows it by")
    parser.add_argument("--groups", type=int, default=24)
    parser.add_argument("--members", type=int, default=10, help="of each group")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--adaptive", action="store_true", help="let the limiter find how many may be in flight")
    parser.add_argument("--name", default="prefixes", help="of the stored result")
    options = parser.parse_args()
    in_flight = None if options.adaptive else 64
    if options.base_url:
        url = options.base_url.rstrip("/")
        data = measure(Workload(url, options.model, options.groups, options.members, in_flight), options.repeats)
    else:
        with serving("--num-gpu-blocks-override", str(BLOCKS), log="benchmark.log") as server:
            data = measure(
                Workload(server.base_url, "tiny", options.groups, options.members, in_flight), options.repeats
            )
    print(json.dumps(data, indent=1))
    print(f"stored in {store(options.name, data)}")


if __name__ == "__main__":
    main()
