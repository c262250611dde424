"""The models of one run: made from the task, shared by all agents that name them, closed at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from swarmmind.evals.environments import policies
from swarmmind.models.cache import Cached
from swarmmind.models.make import Endpoints, Sources, identity, locate, make_model
from swarmmind.models.prices import FREE, Price
from swarmmind.ports import Model
from swarmmind.runs.plan import Plan
from swarmmind.spec import ModelSpec

CACHE = ".swarmmind-cache.sqlite"


class Models:
    """What answers the agents of a run.

    Args:
        plan: the run.
        env: where keys and base URLs come from.

    Attributes:
        by_name: the models, by the name agents know them by.
        reasks: how often each is asked again for an answer that cannot be read.
        endpoints: the limiters and connection pools underneath.

    Raises:
        UserError: a key or an optional package is missing, a policy is unknown, or money is limited and unknown.
    """

    def __init__(self, plan: Plan, env: Mapping[str, str]) -> None:
        self.endpoints = Endpoints()
        known = prices(plan)
        _check_money(plan, known)
        answers = {item.text: str(item.target) for item in plan.items if item.target is not None}
        sources = Sources(self.endpoints, env, policies(), plan.streams, answers)
        self.by_name: dict[str, Model] = {}
        for name, spec in plan.specs.items():
            model = make_model(spec, sources, known[name])
            self.by_name[name] = _cached(model, spec, plan, env)
        self.reasks = {name: spec.reasks for name, spec in plan.specs.items()}

    async def close(self) -> None:
        """Close every connection and cache; nothing is in flight any more."""
        for model in self.by_name.values():
            await model.close()
        await self.endpoints.close()


def endpoints(plan: Plan, env: Mapping[str, str]) -> dict[str, str]:
    """Where each model that is not in this process would be reached, and which variable's key it would be sent."""
    found: dict[str, str] = {}
    for name, spec in plan.specs.items():
        if spec.provider in ("openai", "vllm"):
            address = locate(spec, env)
            variable = spec.api_key_env or f"{spec.provider.upper()}_API_KEY"
            found[name] = f"{address.base_url} ({f'with the key in {variable}' if address.key else 'without a key'})"
    return found


def prices(plan: Plan) -> dict[str, Price | None]:
    """What each model costs: the task says, what runs in this process is free, anything else is unknown."""
    given = {
        name: Price(price.prompt_usd_per_million, price.completion_usd_per_million, price.cached_usd_per_million)
        for name, price in plan.task.prices.items()
    }
    free = ("scripted", "builtin")
    return {
        name: given.get(name, given.get(spec.name, FREE if spec.provider in free else None))
        for name, spec in plan.specs.items()
    }


def _check_money(plan: Plan, known: Mapping[str, Price | None]) -> None:
    unknown = [name for name, price in known.items() if price is None]
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
