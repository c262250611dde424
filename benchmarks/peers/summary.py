"""From what was measured to numbers: medians, and ratios to raw aiohttp in the same repeat."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.peers.catalog import BASELINE, Workload


class Sample(NamedTuple):
    """One peer's workload in one repeat.

    Attributes:
        peer: its name.
        workload: its name.
        repeat: which.
        value: of the workload's measure.
    """

    peer: str
    workload: str
    repeat: int
    value: float


def value(workload: Workload, spent: Mapping[str, float]) -> float:
    """What a driver's line comes to, in the workload's measure."""
    if workload.measure == "cpu_ms_per_call":
        return 1e3 * spent["cpu_seconds"] / spent["calls"]
    if workload.measure == "wall_ms":
        return 1e3 * spent["wall_seconds"]
    return spent["bytes_per_agent"] / 1024


def summarize(samples: Iterable[Sample], workloads: Sequence[Workload]) -> dict[str, dict[str, dict[str, Any]]]:
    """By peer and workload: the median, what it is the median of, and the median of its ratios to raw aiohttp.

    A ratio is of two values of the same repeat; it is `None` where raw aiohttp was not measured.
    """
    found = {(each.peer, each.workload, each.repeat): each.value for each in samples}
    peers = list(dict.fromkeys(peer for peer, _, _ in found))
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for peer in peers:
        for workload in workloads:
            of = {at: number for (who, what, at), number in found.items() if (who, what) == (peer, workload.name)}
            if not of:
                continue
            pairs = [(number, found.get((BASELINE, workload.name, at))) for at, number in of.items()]
            ratios = [number / base for number, base in pairs if base]
            table.setdefault(peer, {})[workload.name] = {
                workload.measure: round(statistics.median(of.values()), 4),
                "all": [round(number, 4) for number in of.values()],
                "ratio": round(statistics.median(ratios), 3) if ratios else None,
            }
    return table


def lines(document: Mapping[str, Any]) -> list[str]:
    """The table for people: cheapest call first, then who could not be measured."""
    peers: Mapping[str, Any] = document["peers"]
    head = ("", "CPU ms/call", "x aiohttp", "CPU ms/call", "x aiohttp", "DAG", "debate", "KB")
    over = ("", "200 agents", "", "1,000 agents", "", "5 x 20, ms", "8 x 4, ms", "per agent")
    rows = [over, head, *(_row(peer) for peer in sorted(peers.values(), key=_cost))]
    wide = [max(len(row[at]) for row in rows) for at in range(len(head))]
    shown = ["  ".join(f"{text:{'<' if not at else '>'}{wide[at]}}" for at, text in enumerate(row)) for row in rows]
    ideal = document["ideal_ms"]
    shown.append(f"ideal wall: DAG {ideal['layered']:.0f} ms, debate {ideal['debate']:.0f} ms")
    shown.append("everybody on asyncio's own event loop, unless named otherwise")
    return shown + [f"{name}: not measured: {why}" for name, why in document["failed"].items()]


def _cost(peer: Mapping[str, Any]) -> float:
    return peer["workloads"].get("fan_out_200", {}).get("cpu_ms_per_call", float("inf"))


def _row(peer: Mapping[str, Any]) -> tuple[str, ...]:
    def show(workload: str, field: str, form: str) -> str:
        number = peer["workloads"].get(workload, {}).get(field)
        return "-" if number is None else format(number, form)

    return (
        peer["label"],
        show("fan_out_200", "cpu_ms_per_call", ".3f"), show("fan_out_200", "ratio", ".2f"),
        show("fan_out_1000", "cpu_ms_per_call", ".3f"), show("fan_out_1000", "ratio", ".2f"),
        show("layered", "wall_ms", ".0f"), show("debate", "wall_ms", ".0f"), show("memory", "kb_per_agent", ".1f"),
    )  # fmt: skip
