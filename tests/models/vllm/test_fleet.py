from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.effects import TEXT, Agent, Message, Reply, Sampling
from swarmmind.errors import ServerLost, UserError
from swarmmind.models.make import Endpoints, Sources, make_model
from swarmmind.models.vllm.fleet import Fleet
from swarmmind.models.vllm.launch import Serving
from swarmmind.models.vllm.program import find_program
from swarmmind.models.vllm.server import Care
from swarmmind.ports import Model, Request
from swarmmind.spec.model import ModelSpec
from swarmmind.testing import LooseCall
from tests.models.vllm.faking import alive, until_async

pytestmark = pytest.mark.anyio

Started = Callable[[], list[dict[str, Any]]]
QUICK = Care(wait_seconds=0.05, look_seconds=0.5)


def managed(fake: dict[str, str], endpoints: Endpoints, **more: Any) -> Model:
    spec = ModelSpec.model_validate({"vllm": "good", "manage": True, **more})
    return make_model(spec, Sources(endpoints, fake))


async def ask(model: Model, name: str = "a", prompt: str = "hello") -> Reply:
    request = Request(Agent(name, "worker"), (Message("user", prompt),), TEXT, Sampling(), 1)
    return await LooseCall(key=name).ask(model, request)


async def test_it_is_up_before_the_run_and_gone_after_it(
    fake: dict[str, str], started: Started, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoints = Endpoints()
    model = managed(fake, endpoints, flags={"max_num_seqs": 8, "max-model-len": 4096})
    caplog.set_level(logging.INFO, "swarmmind")
    assert not started()
    async with endpoints.running(tmp_path):
        (one,) = started()
        assert (await ask(model)).text == "ok"
        assert alive(one["pid"])
        assert alive(one["engine"])
    assert not alive(one["pid"])
    assert not alive(one["engine"])
    (served,) = endpoints.served()
    assert served.server["version"] == "0.99.fake"
    assert served.server["max_model_len"] == 4096
    assert "--max-num-seqs=8" in str(served.server["command"])
    assert served.warnings == []
    assert (tmp_path / "vllm-0.log").is_file()
    assert [record.getMessage().split()[0] for record in caplog.records] == ["starting", "vLLM"]
    await ask_again_is_refused(model)


async def ask_again_is_refused(model: Model) -> None:
    with anyio.move_on_after(0.2) as waiting:
        await ask(model)
    assert waiting.cancelled_caught  # the server is gone for good: a request would wait, none is sent elsewhere


async def test_what_it_is_started_with(fake: dict[str, str], started: Started, tmp_path: Path) -> None:
    fake |= {"VLLM_SERVER_DEV_MODE": "1", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "99"}
    endpoints = Endpoints()
    managed(fake, endpoints, flags={"max-num-seqs": 8, "enable-chunked-prefill": False})
    async with endpoints.running(tmp_path):
        (one,) = started()
    flags, environ = one["flags"], one["environ"]
    assert flags[0] == "--host=127.0.0.1"
    assert flags[2:] == [
        "--served-model-name=good",
        "--generation-config=vllm",
        "--seed=0",
        "--enable-prompt-tokens-details",  # and none of those that this server does not know
        "--max-num-queued-reqs=12",
        "--gpu-memory-utilization=0.9",
        "--max-num-seqs=8",
        "--no-enable-chunked-prefill",
    ]
    assert environ["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] == "99"
    assert environ["VLLM_NO_USAGE_STATS"] == "1"
    assert len(environ["VLLM_API_KEY"]) >= 32  # others on this machine reach the port, but may not use it
    assert not {"VLLM_SERVER_DEV_MODE", "OPENAI_API_KEY"} & set(environ)


async def test_flags_are_asked_for_once(fake: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        endpoints = Endpoints()
        managed(fake, endpoints)
        async with endpoints.running(tmp_path):
            pass
    assert (tmp_path / "asked").read_text() == "help\n"


async def test_models_that_want_the_same_share_a_server(fake: dict[str, str], started: Started, tmp_path: Path) -> None:
    endpoints = Endpoints()
    models = [managed(fake, endpoints, reasks=reasks) for reasks in (0, 1)]
    other = managed(fake, endpoints, flags={"max-num-seqs": 3})
    async with endpoints.running(tmp_path):
        assert [(await ask(model)).text for model in (*models, other)] == ["ok"] * 3
        assert len(started()) == 2
    assert sorted(path.name for path in tmp_path.glob("*.log")) == ["vllm-0-0.log", "vllm-1-0.log"]


async def test_one_that_is_slow_to_say_how_it_is_holds_up_nobody(
    fake: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints, up = Endpoints(), list[bool]()
    model = managed(fake, endpoints)
    async with endpoints.running(tmp_path):
        assert (await ask(model)).text == "ok"
        (fleet,) = attrgetter("_fleets")(endpoints).values()
        (server,) = fleet.servers
        status = server._status

        async def slow() -> int | None:
            up.append(server.pulse.up)
            if len(up) < 3:
                raise TimeoutError
            return await status()

        monkeypatch.setattr(server, "_status", slow)
        server.pulse.doubt()
        server.pulse.fall()
        await until_async(lambda: len(up) >= 3)
        assert (await ask(model)).text == "ok"
    assert up[:3] == [False, True, True]


@pytest.mark.parametrize("victim", ["pid", "engine"])
async def test_a_crash_loses_no_request(victim: str, fake: dict[str, str], started: Started, tmp_path: Path) -> None:
    endpoints = Endpoints()
    model = managed(fake, endpoints, limits={"concurrency": 4})
    replies: list[Reply] = []

    async def one(at: int) -> None:
        replies.append(await ask(model, f"a{at}"))

    async with endpoints.running(tmp_path):
        first = started()[0]
        async with anyio.create_task_group() as group:
            for at in range(40):
                group.start_soon(one, at)
            await until_async(lambda: len(replies) >= 8)
            os.kill(first[victim], signal.SIGKILL)
        assert [reply.text for reply in replies] == ["ok"] * 40
        assert len(started()) == 2
        assert sum(reply.usage.calls for reply in replies) <= 40 + 4 * 2  # only what was in flight is sent again
        assert not alive(first["pid"])
        assert not alive(first["engine"])
    (served,) = endpoints.served()
    assert "was started again 1 time" in served.warnings[-1]
    if victim == "engine":
        assert "lost its engine" in served.warnings[-1]


async def test_one_that_does_not_come_up_is_told_in_one_line(
    fake: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoints = Endpoints()
    managed(fake, endpoints, vllm="stillborn")
    with pytest.raises(ServerLost) as caught:
        async with endpoints.running(tmp_path):
            raise AssertionError("the run must not begin")
    message = str(caught.value)
    assert "'stillborn' did not come up: it ended with code 3" in message
    assert "ValueError: no weights in" in message
    assert str(tmp_path / "vllm-0.log") in message
    assert "\n" not in message
    assert "loading" in caplog.text


async def test_one_that_dies_again_and_again_is_given_up(
    fake: dict[str, str], started: Started, tmp_path: Path
) -> None:
    fleet = Fleet(Serving("moribund", "moribund"), 1, find_program(fake), fake, care=QUICK)
    with pytest.raises(ExceptionGroup) as caught:
        await fleet.run(tmp_path)
    assert caught.group_contains(ServerLost, match="crashed 4 times in a row, the last time it ended with code 7")
    assert len(started()) == 4


async def test_two_replicas_answer_and_one_stands_in_for_the_other(
    fake: dict[str, str], started: Started, tmp_path: Path
) -> None:
    endpoints = Endpoints()
    model = managed(fake, endpoints, replicas=2)
    async with endpoints.running(tmp_path):
        assert len(started()) == 2
        async with anyio.create_task_group() as group:
            for at in range(12):
                group.start_soon(ask, model, f"a{at}", f"prompt {at}")
        both = endpoints.served()
        assert [one.answered > 0 for one in both] == [True, True]
        os.kill(started()[0]["pid"], signal.SIGKILL)
        replies = [await ask(model, f"b{at}", f"prompt {at}") for at in range(12)]
        assert [reply.text for reply in replies] == ["ok"] * 12
    assert len(endpoints.served()) == 2
    assert len(endpoints.served()[0].warnings) + len(endpoints.served()[1].warnings) == 1


async def test_limits_of_the_user_hold_for_all_replicas_together(fake: dict[str, str], tmp_path: Path) -> None:
    endpoints = Endpoints()
    model = managed(fake, endpoints, replicas=2, limits={"concurrency": 3})
    async with endpoints.running(tmp_path), anyio.create_task_group() as group:
        for at in range(20):
            group.start_soon(ask, model, f"a{at}", f"prompt {at}")
    (served,) = endpoints.served()
    assert served.most_in_flight == 3
    assert served.url.count("http://127.0.0.1:") == 2


async def test_a_flag_it_does_not_know_is_the_users_mistake(fake: dict[str, str], tmp_path: Path) -> None:
    endpoints = Endpoints()
    managed(fake, endpoints, flags={"max-num-seq": 8})
    with pytest.raises(UserError, match="no flag --max-num-seq; did you mean 'max-num-seqs'"):
        async with endpoints.running(tmp_path):
            pass


@pytest.mark.parametrize("text", ["#!/nowhere/python\n", "\x7fELF"])
async def test_a_program_that_cannot_be_started_is_the_users_mistake(
    text: str, fake: dict[str, str], tmp_path: Path
) -> None:
    program = Path(find_program(fake).command[0])
    program.write_text(text)
    endpoints = Endpoints()
    managed(fake, endpoints)
    with pytest.raises(UserError, match=f"cannot start {program}"):
        async with endpoints.running(tmp_path):
            pass


async def test_an_error_of_the_run_stops_the_server(fake: dict[str, str], started: Started, tmp_path: Path) -> None:
    endpoints = Endpoints()
    managed(fake, endpoints, vllm="deaf")
    with pytest.raises(ZeroDivisionError):
        async with endpoints.running(tmp_path):
            raise ZeroDivisionError
    assert not alive(started()[0]["engine"])


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pip install vllm"):
        managed({"PATH": str(tmp_path)}, Endpoints())
    with pytest.raises(UserError, match=r"no such program: '\./mine' \(from SWARMMIND_VLLM"):
        managed({"PATH": str(tmp_path), "SWARMMIND_VLLM": "./mine"}, Endpoints())
