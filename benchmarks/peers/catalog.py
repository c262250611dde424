"""Who is measured, what each needs, and what is done."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["client", "framework", "ours"]

BASELINE = "aiohttp"


class Peer(NamedTuple):
    """Somebody whose cost is measured.

    Attributes:
        name: on the command line, of the environment and, with underscores, of the driver.
        label: for people.
        kind: an HTTP client by hand, a framework with agents of its own, or this package.
        requirements: what pip installs; none: it is driven by the Python that runs the benchmark.
        module: of the driver, if it is another one.
        arguments: of the driver.
    """

    name: str
    label: str
    kind: Kind
    requirements: tuple[str, ...] = ()
    module: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def driver(self) -> str:
        """What `python -m` is given."""
        return self.module or f"benchmarks.peers.{self.name.replace('-', '_')}"


PEERS = (
    Peer(BASELINE, "raw aiohttp", "client", ("aiohttp",)),
    Peer("swarmmind", "SwarmMind", "ours"),
    Peer("swarmmind-uvloop", "SwarmMind, uvloop", "ours", module="benchmarks.peers.swarmmind", arguments=("--uvloop",)),
    Peer("httpx", "raw httpx", "client", ("httpx",)),
    Peer("openai", "openai SDK", "client", ("openai",)),
    Peer("openai-aiohttp", "openai SDK on aiohttp", "client", ("openai[aiohttp]",)),
    Peer("autogen", "AutoGen", "framework", ("autogen-agentchat", "autogen-ext[openai]")),
    Peer("agno", "Agno", "framework", ("agno", "openai")),
    Peer("agent-framework", "Agent Framework", "framework", ("agent-framework-core", "agent-framework-openai")),
    Peer("openai-agents", "OpenAI Agents SDK", "framework", ("openai-agents",)),
    Peer("langgraph", "LangGraph", "framework", ("langgraph", "langchain-openai")),
    Peer("pydantic-ai", "Pydantic AI", "framework", ("pydantic-ai-slim[openai]",)),
    Peer("crewai", "CrewAI", "framework", ("crewai",)),
)

QUIET = {  # telemetry, tracing and checks for updates: off for everybody
    "AGNO_TELEMETRY": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "ENABLE_INSTRUMENTATION": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}


class Workload(NamedTuple):
    """Something every peer does.

    Attributes:
        name: of its results.
        asked: what a driver is told (see `driver.workload`).
        measure: `cpu_ms_per_call` or `wall_ms`.
        ideal_ms: of the wall, if only the endpoint took time.
        once: whether it says the same every time.
    """

    name: str
    asked: dict[str, Any]
    measure: Literal["cpu_ms_per_call", "wall_ms", "kb_per_agent"]
    ideal_ms: float | None = None
    once: bool = False


def workloads(calls: int) -> list[Workload]:
    """All of them; `calls` are those of a fan-out."""
    return [
        Workload("fan_out_200", {"workload": "fan_out", "agents": 200, "calls": calls}, "cpu_ms_per_call"),
        Workload("fan_out_1000", {"workload": "fan_out", "agents": 1000, "calls": calls}, "cpu_ms_per_call"),
        Workload("layered", {"workload": "layered"}, "wall_ms", 100.0),
        Workload("debate", {"workload": "debate"}, "wall_ms", 80.0),
        Workload("memory", {"workload": "memory", "agents": 300}, "kb_per_agent", once=True),
    ]
