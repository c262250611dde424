"""The models of one run, and its embedder: made from the task, shared by all agents, closed at its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import anyio

from swarmmind.errors import MissingExtra, SpecError, UserError
from swarmmind.evals.environments import policies
from swarmmind.models.cache import Cached
from swarmmind.models.embed_make import locate_embedder, make_embedder
from swarmmind.models.make import Address, Endpoints, Sources, identity, locate, make_model, serving
from swarmmind.models.prices import FREE, Price
from swarmmind.models.served import Served
from swarmmind.models.vllm.launch import shown
from swarmmind.models.vllm.program import find_program
from swarmmind.ports import Embedder, Model
from swarmmind.runs.plan import Plan
from swarmmind.spec import EndpointLimits, ModelSpec
from swarmmind.spec.embedder import EmbedderSpec

CACHE = ".swarmmind-cache.sqlite"
_REMOTE = ("openai", "vllm")


class Models:
    """What answers the agents of a run, and what turns their texts into vectors.

    Args:
        plan: the run.
        env: where keys and base URLs come from.
        endpoints: limiters and connection pools; its own if left out.
        shares: whether others use `endpoints` too, so that whoever made them runs and closes them.

    Attributes:
        by_name: the models, by the name agents know them by.
        reasks: how often each is asked again for an answer that cannot be read.
        embedder: what executes its embeddings.
        endpoints: the limiters and connection pools underneath.

    Raises:
        UserError: a key or an optional package is missing, a policy is unknown, an embedder's model is not there, or
            money is limited and unknown.
    """

    def __init__(
        self, plan: Plan, env: Mapping[str, str], endpoints: Endpoints | None = None, *, shares: bool = True
    ) -> None:
        self.endpoints, self._shares = endpoints or Endpoints(), endpoints is not None and shares
        known = prices(plan)
        _check_money(plan)
        answers = {item.text: str(item.target) for item in plan.items if item.target is not None}
        sources = Sources(self.endpoints, env, policies(), plan.streams, answers, folder=plan.loaded.folder)
        self.by_name: dict[str, Model] = {}
        for name, spec in plan.specs.items():
            model = make_model(spec, sources, known[name])
            self.by_name[name] = _cached(model, spec, plan, env)
        self.reasks = {name: spec.reasks for name, spec in plan.specs.items()}
        self.embedder = embedder(plan, sources)

    @asynccontextmanager
    async def running(self, folder: Path | None = None) -> AsyncGenerator[None]:
        """For as long as a run goes on: servers are started and watched; at the end everything is stopped and closed.

        Args:
            folder: of the run, for the logs of servers that are started.

        Raises:
            ServerLost: a server does not come up, or crashes again and again.
        """
        async with nullcontext() if self._shares else self.endpoints.running(folder):
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    for model in self.by_name.values():
                        await model.close()
                    await self.embedder.close()

    def served(self) -> list[Served]:
        """What each server has done for it so far."""
        return self.endpoints.served()


def embedder(plan: Plan, sources: Sources) -> Embedder:
    """The embedder of a run; one that sets no limits for its endpoint has those of the models there.

    Raises:
        SpecError: it cannot be made, with its place in the task.
        MissingExtra: an optional package is not installed.
    """
    spec = plan.task.embedder
    try:
        if spec.remote and "limits" not in spec.model_fields_set:
            spec = spec.model_copy(update={"limits": _shared_limits(plan, spec, sources.environ)})
        return make_embedder(spec, sources, plan.loaded.folder, embedder_price(plan))
    except (SpecError, MissingExtra):
        raise
    except UserError as error:
        raise plan.loaded.error(plan.loaded.source.deepest(("embedder", "name")), str(error)) from error


def _shared_limits(plan: Plan, spec: EmbedderSpec, env: Mapping[str, str]) -> EndpointLimits:
    address = locate_embedder(spec, env)
    remote = [other for other in plan.specs.values() if other.provider in _REMOTE]
    return next((other.limits for other in remote if locate(other, env)[1:] == address[1:]), spec.limits)


def endpoints(plan: Plan, env: Mapping[str, str]) -> dict[str, str]:
    """Where each model that is not in this process would be reached, and which variable's key it would be sent."""
    folder = plan.loaded.folder
    found = {
        name: _shown(locate(spec, env), spec, env, folder)
        for name, spec in plan.specs.items()
        if spec.provider in _REMOTE
    }
    spec = plan.task.embedder
    if spec.remote:
        found[f"{spec.name} (embedder)"] = _shown(locate_embedder(spec, env), spec.endpoint(), env, folder)
    return found


def _shown(address: Address, spec: ModelSpec, env: Mapping[str, str], folder: Path) -> str:
    if spec.manage:
        try:
            what = shown(serving(spec, folder), find_program(env))
        except UserError as error:
            return f"no server: {error}"
        return f"{spec.replicas} server(s) started for it: {what}"
    variable = spec.api_key_env or f"{spec.provider.upper()}_API_KEY"
    return f"{address.base_url} ({f'with the key in {variable}' if address.key else 'without a key'})"


def prices(plan: Plan) -> dict[str, Price | None]:
    """What each model costs: the task says, what runs in this process is free, anything else is unknown."""
    given = _given(plan)
    free = ("scripted", "builtin")
    return {
        name: given.get(name, given.get(spec.name, FREE if spec.provider in free else None))
        for name, spec in plan.specs.items()
    }


def embedder_price(plan: Plan) -> Price | None:
    """What the embedder costs: the task says, what runs in this process is free, anything else is unknown."""
    spec = plan.task.embedder
    return _given(plan).get(spec.name) if spec.remote else FREE


def _given(plan: Plan) -> dict[str, Price]:
    return {
        name: Price(price.prompt_usd_per_million, price.completion_usd_per_million, price.cached_usd_per_million)
        for name, price in plan.task.prices.items()
    }


def unpriced(plan: Plan) -> list[str]:
    """The models, and the embedder, whose price is unknown."""
    unknown = [name for name, price in prices(plan).items() if price is None]
    return unknown if embedder_price(plan) is not None else [*unknown, plan.task.embedder.name]


def _check_money(plan: Plan) -> None:
    unknown = unpriced(plan)
    if plan.task.budget.usd is not None and unknown:
        message = f"cannot be a wall without a price for {unknown[0]!r}; add it under 'prices'"
        raise plan.loaded.error(("budget", "usd"), message)


def _cached(model: Model, spec: ModelSpec, plan: Plan, env: Mapping[str, str]) -> Model:
    wanted = plan.task.cache
    if not wanted or model.stateful:
        return model
    path = plan.loaded.folder / (wanted if isinstance(wanted, str) else CACHE)
    local = spec.provider in ("scripted", "builtin")
    shape = f"{spec.model_dump_json()} {plan.task.seed}" if local else identity(spec, locate(spec, env))
    return Cached(model, Path(path), shape)
