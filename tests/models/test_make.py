from __future__ import annotations

from typing import Any

import anyio
import pytest

from swarmmind.effects import TEXT, Agent, Later, Message, Reply, Sampling
from swarmmind.errors import UserError
from swarmmind.models.chat import ChatModel
from swarmmind.models.local import PolicyModel, Scripted
from swarmmind.models.make import Endpoints, Sources, identity, locate, make_model
from swarmmind.ports import Policy, Request
from swarmmind.spec.model import ModelSpec
from swarmmind.testing import FakeEndpoint, LooseCall
from tests.models.asking import request

pytestmark = pytest.mark.anyio

KEY = "hunter2-hunter2"


def spec(name: str, **fields: Any) -> ModelSpec:
    return ModelSpec.model_validate({"name": name, **fields})


def test_defaults_of_the_providers() -> None:
    assert locate(spec("vllm/org/m"), {}) == ("vllm", "http://127.0.0.1:8000/v1", None)
    assert locate(spec("openai/m"), {"OPENAI_API_KEY": KEY}) == ("openai", "https://api.openai.com/v1", KEY)


def test_flag_goes_before_environment_before_file() -> None:
    model = spec("vllm/m", base_url="http://file:1/v1")
    environ = {"VLLM_BASE_URL": "http://env:2/v1/", "VLLM_API_KEY": KEY, "OPENAI_BASE_URL": "http://no:3"}
    assert locate(model, environ, "http://flag:4") == ("vllm", "http://flag:4/v1", KEY)
    assert locate(model, environ) == ("vllm", "http://env:2/v1", KEY)
    assert locate(model, {}) == ("vllm", "http://file:1/v1", None)


def test_a_key_is_asked_for_by_the_name_of_its_variable() -> None:
    with pytest.raises(UserError, match="set the environment variable OPENAI_API_KEY") as error:
        locate(spec("openai/gpt-4o"), {"VLLM_API_KEY": KEY})
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="TEAM_KEY"):
        locate(spec("vllm/m", api_key_env="TEAM_KEY"), {"VLLM_API_KEY": KEY})
    assert locate(spec("vllm/m", api_key_env="TEAM_KEY"), {"TEAM_KEY": f" {KEY}\n"}).key == KEY


def test_a_key_that_would_break_a_header_is_refused_and_not_shown() -> None:
    with pytest.raises(UserError, match="VLLM_API_KEY") as error:
        locate(spec("vllm/m"), {"VLLM_API_KEY": f"{KEY}\r\nX-Evil: 1"})
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    "url", ["ftp://h/v1", "h:8000/v1", "http:///v1", "http://u:p@h/v1", "http://h/v1?k=v", "http://[1"]
)
def test_a_base_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UserError, match="a base URL must be like") as error:
        locate(spec("vllm/m"), {"VLLM_BASE_URL": url})
    assert url not in str(error.value)


async def test_models_of_one_endpoint_share_limiter_and_pool() -> None:
    endpoints = Endpoints()
    sources = Sources(endpoints, {"OPENAI_API_KEY": KEY})
    one, two, away = (
        make_model(spec(name, limits={"concurrency": 3}, **more), sources)
        for name, more in (("vllm/a", {}), ("vllm/b", {}), ("vllm/c", {"base_url": "http://h:1/v1"}))
    )
    assert isinstance(one, ChatModel)
    assert isinstance(two, ChatModel)
    assert isinstance(away, ChatModel)
    assert one.route is two.route is not away.route
    assert [each.route.choose(b"").limiter.limit for each in (one, away)] == [3, 3]
    with pytest.raises(UserError, match="two models set different limits"):
        make_model(spec("vllm/d", limits={"concurrency": 4}), sources)
    await endpoints.close()


@pytest.mark.parametrize("transport", ["aiohttp", "httpx", "openai"])
async def test_a_made_model_answers(transport: str) -> None:
    async with FakeEndpoint(lambda body: str(body["top_k"]), key=KEY) as server:
        endpoints = Endpoints()
        environ = {"VLLM_API_KEY": KEY, "VLLM_BASE_URL": server.base_url}
        model = make_model(spec("vllm/org/m", transport=transport, extra={"top_k": 3}), Sources(endpoints, environ))
        assert (await LooseCall().ask(model, request())).text == "3"
        assert KEY not in repr(model)
        await endpoints.close()


def test_only_openai_itself_insists_on_max_completion_tokens() -> None:
    sources = Sources(Endpoints(), {"OPENAI_API_KEY": KEY})
    for url, field in ((None, "max_completion_tokens"), ("http://h:1/v1", "max_tokens")):
        model = make_model(spec("openai/m", base_url=url), sources)
        assert isinstance(model, ChatModel)
        assert model.writer.max_tokens_field == field


async def test_scripted_and_its_latency() -> None:
    latency = {"uniform": [2.0, 3.0]}
    sources = Sources(Endpoints(), answers={"hello": "world"})
    model = make_model(spec("scripted", accuracy=1.0, latency_seconds=latency), sources)
    assert isinstance(model, Scripted)
    answer = model.answer(request(), LooseCall())
    assert isinstance(answer, Later)
    assert 2.0 <= answer.seconds <= 3.0
    assert answer.reply.text == "The answer is world."


async def test_builtin_policies_come_from_above() -> None:
    def silent(_: Agent) -> Policy:
        return lambda observation, rng: "STAY"

    sources = Sources(Endpoints(), policies={"silent": silent})
    model = make_model(spec("builtin/silent"), sources)
    assert isinstance(model, PolicyModel)
    assert (await LooseCall().ask(model, request())).text == "STAY"
    with pytest.raises(UserError, match=r"unknown policy 'builtin/silnt'; did you mean 'silent'\?"):
        make_model(spec("builtin/silnt"), sources)


def test_what_shapes_answers_has_no_key_in_it() -> None:
    model = spec("vllm/m", extra={"top_k": 3})
    address = locate(model, {"VLLM_API_KEY": KEY})
    assert KEY not in identity(model, address) + repr(address)
    other = spec("vllm/m", extra={"top_k": 4})
    assert identity(model, address) != identity(other, locate(other, {}))


@pytest.mark.parametrize(
    ("spec", "env", "key"),
    [
        ({"base_url": "https://elsewhere.example/v1"}, {}, None),
        ({"base_url": "https://elsewhere.example/v1", "api_key_env": "OPENAI_API_KEY"}, {}, "k-1"),
        ({"base_url": "http://127.0.0.1:9/v1"}, {}, "k-1"),
        ({"base_url": "http://[::1]:9/v1"}, {}, "k-1"),
        ({"base_url": "http://127.0.0.1.elsewhere.example/v1"}, {}, None),
        ({"base_url": "http://127.elsewhere.example/v1"}, {}, None),
        ({"base_url": "https://api.openai.com/v1"}, {}, "k-1"),
        ({"base_url": "https://mine.example/v1"}, {"OPENAI_BASE_URL": "https://mine.example/v1"}, "k-1"),
        ({"base_url": "https://elsewhere.example/v1"}, {"OPENAI_BASE_URL": "https://mine.example/v1"}, "k-1"),
        ({}, {}, "k-1"),
    ],
)
def test_a_task_file_alone_does_not_send_the_usual_key_to_a_host_of_its_choice(
    spec: dict[str, str], env: dict[str, str], key: str | None
) -> None:
    named = ModelSpec.model_validate({"name": "openai/m", **spec})
    assert locate(named, {"OPENAI_API_KEY": "k-1", **env}).key == key


async def test_several_urls_are_replicas() -> None:
    async with FakeEndpoint() as one, FakeEndpoint() as two:
        urls = [one.base_url, two.base_url]
        for given, environ in ((urls, {}), (None, {"VLLM_BASE_URL": ", ".join(urls)})):
            endpoints = Endpoints()
            model = make_model(spec("vllm/m", base_url=given), Sources(endpoints, environ))
            before = one.answered, two.answered
            async with endpoints.running(), anyio.create_task_group() as group:
                for at in range(20):
                    asked = Request(Agent(f"a{at}", "worker"), (Message("user", f"{at}"),), TEXT, Sampling(), 1)
                    group.start_soon(LooseCall(key=f"{at}").ask, model, asked)
            assert one.answered - before[0] + two.answered - before[1] == 20
            assert min(one.answered - before[0], two.answered - before[1]) > 0
            assert sorted(served.url for served in endpoints.served()) == sorted(urls)


@pytest.mark.parametrize("limits", [{}, {"concurrency": 8}])
async def test_a_replica_that_is_dead_from_the_start_costs_no_agent_its_answer(limits: dict[str, int]) -> None:
    async with FakeEndpoint(latency_seconds=0.05) as one:
        urls = [one.base_url, "http://127.0.0.1:9/v1"]
        endpoints = Endpoints()
        model = make_model(spec("vllm/m", base_url=urls, attempts=1, limits=limits), Sources(endpoints))
        replies: list[Reply] = []

        async def ask(at: int) -> None:
            asked = Request(Agent(f"a{at}", "worker"), (Message("user", f"{at}"),), TEXT, Sampling(), 1)
            replies.append(await LooseCall(key=f"{at}").ask(model, asked))

        async with endpoints.running(), anyio.create_task_group() as group:
            for at in range(30):
                group.start_soon(ask, at)
        assert [reply.failure for reply in replies] == [None] * 30


async def test_replicas_that_are_all_dead_are_told_of_at_once() -> None:
    endpoints = Endpoints()
    urls = ["http://127.0.0.1:9/v1", "http://127.0.0.1:1/v1"]
    model = make_model(spec("vllm/m", base_url=urls, attempts=2), Sources(endpoints))
    asked = Request(Agent("a", "worker"), (Message("user", "hello"),), TEXT, Sampling(), 1)
    with anyio.fail_after(10):
        async with endpoints.running():
            replies = [await LooseCall(key=f"{at}").ask(model, asked) for at in range(3)]
    assert [reply.failure.kind for reply in replies if reply.failure] == ["connection"] * 3


def test_a_file_that_names_replicas_elsewhere_is_not_sent_the_usual_key() -> None:
    urls = ["http://127.0.0.1:1/v1", "http://evil.example/v1"]
    assert locate(spec("vllm/m", base_url=urls), {"VLLM_API_KEY": KEY}).key is None
    assert locate(spec("vllm/m", base_url=urls[:1]), {"VLLM_API_KEY": KEY}).key == KEY


def test_one_server_that_is_named_twice_is_no_two_replicas() -> None:
    urls = ["http://gpu:8000/v1", "http://gpu:8000", "http://gpu:8000/v1/"]
    assert locate(spec("vllm/m"), {"VLLM_BASE_URL": ", ".join(urls)}).base_url == "http://gpu:8000/v1"
    assert locate(spec("vllm/m", base_url=urls), {}).base_url == "http://gpu:8000/v1"


def test_a_managed_model_is_known_by_what_would_be_started() -> None:
    def known(**flags: int) -> str:
        managed = ModelSpec.model_validate({"vllm": "m", "manage": True, "flags": flags})
        return identity(managed, locate(managed, {"VLLM_BASE_URL": "http://127.0.0.1:1/v1"}))

    assert known(a=1) == known(a=1) != known(a=2)
    assert "127.0.0.1" not in known()
