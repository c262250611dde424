"""Draw what benchmarks stored: `python -m benchmarks.plots [--folder benchmarks/results]`.

From `peers.json` come `peers_cpu.svg`, CPU per agent call, and `peers_wall.svg`, wall time of a layered graph and of a
debate next to the ideal. The drawings have no background and no fonts of their own: text is text, in whatever font the
reader has, dark in a light scheme and light in a dark one. It needs matplotlib (`pip install --group bench`).
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from benchmarks.store import RESULTS, load

INK, INK_IN_THE_DARK = "#57606a", "#c9d1d9"
COLORS = {"ours": "#2f81f7", "client": "#8b949e", "framework": "#d9822b"}
LEGEND = {"ours": "SwarmMind", "client": "HTTP client or SDK by hand", "framework": "framework"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "swarmmind",  # the same numbers are the same file
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # what widths are reckoned with; it is not written down
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Bar(NamedTuple):
    """One row of a chart.

    Attributes:
        label: whose.
        kind: which color: `ours`, `client` or `framework`.
        value: how long.
        note: what is written behind it.
    """

    label: str
    kind: str
    value: float
    note: str


def cpu_bars(data: Mapping[str, Any], workload: str = "fan_out_200") -> list[Bar]:
    """CPU per call, the cheapest first, with its ratio to raw aiohttp."""
    bars: list[Bar] = []
    for peer in data["peers"].values():
        found = peer["workloads"].get(workload)
        if found is not None:
            ratio = "" if found["ratio"] is None else f"  ({found['ratio']:.1f}x)"
            bars.append(
                Bar(peer["label"], peer["kind"], found["cpu_ms_per_call"], f"{found['cpu_ms_per_call']:.2f}{ratio}")
            )
    return sorted(bars, key=lambda bar: bar.value)


def wall_bars(data: Mapping[str, Any], workload: str) -> list[Bar]:
    """Wall time, the shortest first, as a multiple of the ideal too."""
    ideal = data["ideal_ms"][workload]
    found = [(peer, peer["workloads"].get(workload)) for peer in data["peers"].values()]
    bars = [
        Bar(peer["label"], peer["kind"], took["wall_ms"], f"{took['wall_ms']:.0f}  ({took['wall_ms'] / ideal:.2f}x)")
        for peer, took in found
        if took is not None
    ]
    return sorted(bars, key=lambda bar: bar.value)


def peers_cpu(document: Mapping[str, Any]) -> Figure:
    """CPU per agent call, on a logarithmic scale."""
    bars = cpu_bars(document["data"])
    figure = Figure(figsize=(7.2, 0.27 * len(bars) + 1.3), layout="constrained")
    axes = figure.subplots()
    draw(axes, bars, least=bars[0].value / 2)
    axes.set_title("CPU per agent call at the client, ms (and as a multiple of raw aiohttp)", loc="left", fontsize=10)
    axes.set_xlabel(f"200 agents, {document['data']['in_flight']} calls in flight, endpoint without latency; log scale")
    keyed(axes, bars)
    return figure


def peers_wall(document: Mapping[str, Any]) -> Figure:
    """Wall time of the layered graph and of the debate, side by side, with a line at the ideal."""
    data = document["data"]
    titles = {"layered": "Layered graph of 5 x 20 agents", "debate": "Debate of 8 agents, 4 rounds"}
    charts = {workload: wall_bars(data, workload) for workload in titles}
    rows = max(map(len, charts.values()))
    figure = Figure(figsize=(9.0, 0.27 * rows + 1.3), layout="constrained")
    for axes, (workload, bars) in zip(figure.subplots(1, 2), charts.items(), strict=True):
        ideal = data["ideal_ms"][workload]
        draw(axes, bars, least=ideal / 2)
        axes.axvline(ideal, color=INK, linestyle="--", linewidth=1)
        axes.set_title(f"{titles[workload]}: wall time, ms", loc="left", fontsize=10)
        axes.set_xlabel(f"{data['latency_ms']} ms a call; dashed, 1x: ideal {ideal:.0f} ms; log scale")
    return figure


def draw(axes: Axes, bars: Sequence[Bar], least: float) -> None:
    """Bars from top to bottom on a logarithmic scale from `least` on, with what is written behind them."""
    at = range(len(bars))
    axes.barh(at, [bar.value for bar in bars], color=[COLORS[bar.kind] for bar in bars], height=0.72)
    axes.set_yticks(at, [bar.label for bar in bars])
    axes.invert_yaxis()
    axes.tick_params(left=False)
    axes.set_xscale("log")
    axes.set_xlim(least, max(bar.value for bar in bars) * 4)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for row, bar in zip(at, bars, strict=True):
        axes.text(bar.value * 1.06, row, bar.note, va="center", fontsize=8)


def keyed(axes: Axes, bars: Sequence[Bar]) -> None:
    """What the colors mean."""
    kinds = [kind for kind in LEGEND if any(bar.kind == kind for bar in bars)]
    shown = [axes.barh([0], [0], color=COLORS[kind], label=LEGEND[kind]) for kind in kinds]
    axes.legend(handles=shown, loc="upper right", frameon=False, fontsize=8)


def svg(figure: Figure) -> str:
    """A drawing that is readable in light and dark, and the same whenever it is drawn."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text.replace("'DejaVu Sans', ", "").replace("'DejaVu Sans'", "sans-serif")
    dark = "".join(
        f'[style*="{name}: {INK}"] {{ {name}: {INK_IN_THE_DARK} !important }} ' for name in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{ {dark}}}</style>\n <defs>"
    return text.replace("<defs>", style, 1)


PLOTS: dict[str, dict[str, Callable[[Mapping[str, Any]], Figure]]] = {
    "peers": {"peers_cpu": peers_cpu, "peers_wall": peers_wall},
}
"""By stored name: the drawings made of it, by file name."""


def main(arguments: list[str] | None = None) -> None:
    """Draw everything that is stored."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=RESULTS)
    folder: Path = parser.parse_args(arguments).folder
    for name, drawings in PLOTS.items():
        if not (folder / f"{name}.json").exists():
            print(f"{name}: nothing is stored", file=sys.stderr)
            continue
        document = load(name, folder)
        for file, drawing in drawings.items():
            with mpl.rc_context(STYLE):
                (folder / f"{file}.svg").write_text(svg(drawing(document)), encoding="utf-8")
            print(folder / f"{file}.svg")


if __name__ == "__main__":
    main()
