"""The backward pass of Agentic Neural Networks (arXiv 2506.09046, section 3): the whole first, then layer by layer.

One critic sees the whole trajectory and says what is wrong and in which layers. Then each of these layers has a critic
of its own, who sees the traces of that layer's agents and nothing of the others, with the critique of the whole as
advice. So an agent is blamed for what it did itself, not for what came out at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.effects import Program
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import Parameter, TextParameter
from swarmmind.optimizers.requests import critiques, unread
from swarmmind.optimizers.study import Case, Study
from swarmmind.optimizers.textual_backprop.layer_requests import Layer, depths, local, whole
from swarmmind.ports import Context

MOST_LAYERS = 12
"""So many layers are looked into in one pass, the first ones of those at fault: what a pass costs has a bound."""


def layered(cases: Sequence[Case]) -> list[Layer]:
    """The layers of all cases together, the first one first."""
    found: dict[int, Layer] = {}
    for case in cases:
        for step, depth in zip(case.run.steps, depths(case.run.steps), strict=True):
            found.setdefault(depth, Layer(depth, {})).steps.setdefault(case.id, []).append(step)
    return [found[depth] for depth in sorted(found)]


def layers(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """Global, then local critiques; see `backward.Backward`."""
    settings = [p for p in study.parameters if not (isinstance(p, TextParameter) and p.role)]
    [reply] = yield [whole(study, settings, candidate, cases)]
    found = critiques(reply, settings, cases) if settings else []
    if not reply.ok:
        yield [unread("the critique of the whole", reply)]
    blamed: list[int] = reply.value["layers"] if reply.ok else []
    advice = reply.value["critique"] if reply.ok else ""
    here = layered(cases)
    looked = [layer for layer in here if layer.number in blamed] or here
    within = [(layer, own) for layer in looked if (own := parameters_of(study, layer))][:MOST_LAYERS]
    asked = [local(study, layer, own, candidate, cases, advice) for layer, own in within]
    replies = (yield asked) if asked else ()
    for (layer, own), said in zip(within, replies, strict=True):
        if not said.ok:
            yield [unread(f"the critique of layer {layer.number}", said)]
        found += critiques(said, own, cases)
    return found


def asks(study: Study, cases: int) -> int:
    """How many asks a pass makes at most."""
    return 1 + (MOST_LAYERS if any(map(_local, study.parameters)) else 0)


def parameters_of(study: Study, layer: Layer) -> list[Parameter]:
    """What a layer's critic may criticize: its agents' instructions, and whole teams, to which every agent belongs."""
    roles = layer.roles
    return [p for p in study.parameters if _local(p) and (not isinstance(p, TextParameter) or p.role in roles)]


def _local(parameter: Parameter) -> bool:
    """Whether agents' own traces speak for it."""
    return bool(parameter.role) if isinstance(parameter, TextParameter) else parameter.kind == "workflow"
