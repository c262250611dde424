"""For tests of your own parts and for rehearsals: a fake endpoint, a call to hand to a model, conformance checks.

`FakeEndpoint` is an OpenAI-compatible server with modelled latency and hostility; `LooseCall` is what a model is handed
when no run drives it; `check_model`, `check_transport`, `check_memory`, `check_embedder`, `check_topology` and
`check_optimizer` are what every model, transport, memory, embedder, topology and optimizer in the box passes.
"""

from __future__ import annotations

from swarmmind.testing.calls import LooseCall
from swarmmind.testing.conformance import check_model, check_transport
from swarmmind.testing.embedder_check import check_embedder
from swarmmind.testing.fake_endpoint import FakeEndpoint, Hostility, Refusal
from swarmmind.testing.memory_check import check_memory
from swarmmind.testing.optimizer_check import check_optimizer
from swarmmind.testing.topology_check import check_topology

__all__ = [
    "FakeEndpoint",
    "Hostility",
    "LooseCall",
    "Refusal",
    "check_embedder",
    "check_memory",
    "check_model",
    "check_optimizer",
    "check_topology",
    "check_transport",
]
