from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swarmmind.effects import TEXT, Agent, Choice, Failure, Message, Reply, Sampling, Usage
from swarmmind.errors import UserError
from swarmmind.models.cache import Cached
from swarmmind.models.local import PolicyModel, Scripted, ScriptedFunction
from swarmmind.ports import HttpResponse, Request
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Cost
from swarmmind.testing import LooseCall, check_model
from tests.models.asking import Replayed, chat, ok, request

pytestmark = pytest.mark.anyio


async def test_the_second_time_costs_nothing_in_this_run_and_the_next(tmp_path: Path) -> None:
    transport = Replayed(ok("one"), ok("two"))
    for run in range(2):
        model = Cached(chat(transport), tmp_path / "new" / "cache.sqlite", "vllm m")
        assert (await LooseCall().ask(model, request())).text == "one"
        call = LooseCall()
        reply = await call.ask(model, request())
        assert (reply.text, reply.finish) == ("one", "stop")
        assert (reply.usage, call.purse.spent) == (Usage(), Cost())
        await model.close()
        assert len(transport.posted) == 1, run


async def test_all_that_shapes_an_answer_is_in_its_key(tmp_path: Path) -> None:
    plain = request()
    agent, messages, sampling = plain.agent, plain.messages, plain.sampling
    others = [
        plain._replace(messages=(*messages, Message("assistant", "x"))),
        plain._replace(messages=(Message("user", messages[0].content), *messages[1:])),
        plain._replace(output=Choice(("a", "b"))),
        plain._replace(sampling=Sampling(0.6, sampling.top_p, sampling.max_tokens)),
        plain._replace(seed=8),
    ]
    transport = Replayed(*[ok(str(at)) for at in range(9)])
    path = tmp_path / "cache.sqlite"
    model = Cached(chat(transport), path, "vllm m")
    said = [(await LooseCall().ask(model, asked)).text for asked in (plain, *others)]
    assert said == ["0", "1", "2", "3", "4", "5"]
    elsewhere = Cached(chat(transport), path, "openai m")
    assert (await LooseCall().ask(elsewhere, plain)).text == "6"
    twin = Request(Agent("another", agent.role), messages, TEXT, sampling, plain.seed, "seen")
    assert (await LooseCall().ask(model, twin)).text == "0"
    await model.close()
    await elsewhere.close()


async def test_failures_are_never_kept(tmp_path: Path) -> None:
    transport = Replayed(HttpResponse(400, {}, b"no"), ok("yes"))
    model = Cached(chat(transport), tmp_path / "cache.sqlite", "m")
    assert (await LooseCall().ask(model, request())).failure == Failure("refused", "HTTP 400: no")
    assert (await LooseCall().ask(model, request())).text == "yes"
    await model.close()


async def test_probabilities_are_remembered_with_the_answer_they_came_with(tmp_path: Path) -> None:
    path, ways = tmp_path / "cache.sqlite", ("a", "b")
    weighed, plain = request(output=Choice(ways, logprobs=True)), request(output=Choice(ways))
    for _ in range(2):
        model = Cached(Scripted(0.75, answers={"hello": "b"}), path, "m")
        assert (await LooseCall().ask(model, weighed)).probabilities == {"a": 0.25, "b": 0.75}
        assert (await LooseCall().ask(model, plain)).probabilities is None
        await model.close()
    silent = Cached(chat(Replayed(ok("b"))), path, "another")
    assert [(await LooseCall().ask(silent, weighed)).probabilities for _ in range(2)] == [None, None]
    await silent.close()


async def test_local_models_are_cached_too(tmp_path: Path) -> None:
    counted: list[int] = []
    model = Cached(ScriptedFunction(lambda asked, rng: counted.append(1) or "x"), tmp_path / "cache.sqlite", "m")
    assert [(await LooseCall().ask(model, request())).text for _ in range(2)] == ["x", "x"]
    assert len(counted) == 1
    slow = Cached(Scripted(latency=0.001), tmp_path / "cache.sqlite", "slow")
    assert isinstance(await LooseCall().ask(slow, request()), Reply)
    assert isinstance(slow.answer(request(), LooseCall()), Reply)  # at once
    await model.close()
    await slow.close()


async def test_it_conforms(tmp_path: Path) -> None:
    model = Cached(Scripted(), tmp_path / "cache.sqlite", "m")
    await check_model(model)
    await check_model(model)
    await model.close()


def test_a_file_that_is_none_is_a_users_mistake(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("this is not a database, and long enough to be taken for one" * 40)
    with pytest.raises(UserError, match=r"notes\.txt: not usable as a cache"):
        Cached(Scripted(), path, "m")


def test_a_model_that_remembers_is_not_cached(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stateful"):
        Cached(PolicyModel(lambda _: lambda observation, rng: "x", Streams(0)), tmp_path / "cache.sqlite", "m")


_WRITER = """
import sys
from pathlib import Path
from swarmmind.models.cache import Cached
from swarmmind.models.local import ScriptedFunction
from swarmmind.testing import LooseCall
from tests.models.asking import request
model = Cached(ScriptedFunction(lambda asked, rng: asked.messages[-1].content), Path(sys.argv[1]), "m")
import anyio
async def main():
    for at in range(300):
        assert (await LooseCall().ask(model, request(f"question {at}"))).text == f"question {at}"
    await model.close()
anyio.run(main)
"""


async def test_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    command = [sys.executable, "-W", "error", "-c", _WRITER, str(path)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for worker in workers:
        _, complaint = worker.communicate(timeout=60)
        assert (worker.returncode, complaint) == (0, "")
    model = Cached(never_asked(), path, "m")
    for at in range(300):
        assert (await LooseCall().ask(model, request(f"question {at}"))).text == f"question {at}"
    await model.close()


def never_asked() -> ScriptedFunction:
    def never(*_: object) -> str:
        raise AssertionError("it is in the cache")

    return ScriptedFunction(never)
