"""Run all experiments, or those named on the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from . import (
    beam,
    budget,
    collective_memory,
    debate,
    edges,
    edges_realize,
    equal_tokens,
    eval_kill,
    fortytwo,
    gates,
    governance,
    hostile,
    intervals,
    kill,
    language_pso,
    longterm_kill,
    macnet,
    map_elites,
    moa,
    musicswarm,
    omne,
    pareto,
    planner,
    pso,
    same_seed,
    sapo,
    scale,
    sorting_cells,
    swarmbench,
    swarmsys,
    symbolic_structure,
    ten_thousand,
    textgrad,
    textual_backprop,
    votes,
)
from .experiment import Experiment

EXPERIMENTS: dict[str, Callable[[], Experiment]] = {
    "beam": beam.run,
    "budget": budget.run,
    "collective-memory": collective_memory.run,
    "debate": debate.run,
    "edges": edges.run,
    "edges-realize": edges_realize.run,
    "eval-kill": eval_kill.run,
    "equal-tokens": equal_tokens.run,
    "fortytwo": fortytwo.run,
    "gates": gates.run,
    "governance": governance.run,
    "hostile": hostile.run,
    "intervals": intervals.run,
    "kill": kill.run,
    "language-pso": language_pso.run,
    "longterm-kill": longterm_kill.run,
    "macnet": macnet.run,
    "map-elites": map_elites.run,
    "moa": moa.run,
    "musicswarm": musicswarm.run,
    "omne": omne.run,
    "pareto": pareto.run,
    "planner": planner.run,
    "pso": pso.run,
    "same-seed": same_seed.run,
    "sapo": sapo.run,
    "scale": scale.run,
    "sorting-cells": sorting_cells.run,
    "swarmbench": swarmbench.run,
    "swarmsys": swarmsys.run,
    "symbolic-structure": symbolic_structure.run,
    "ten-thousand": ten_thousand.run,
    "textgrad": textgrad.run,
    "textual-backprop": textual_backprop.run,
    "votes": votes.run,
}


def main(names: list[str]) -> int:
    """Run, show, and return the exit code: 0 if every experiment passed."""
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown:
        print(f"unknown experiment {unknown[0]!r}; known: {', '.join(EXPERIMENTS)}")
        return 2
    short: list[str] = []
    for name in names or list(EXPERIMENTS):
        began = time.monotonic()
        experiment = EXPERIMENTS[name]()
        experiment.show()
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", file=sys.stderr)
        if not experiment.passed:
            short.append(name)
    if len(names) != 1:
        print("PASS" if not short else f"fell short: {', '.join(short)}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main([name for argument in sys.argv[1:] for name in argument.split(",") if name]))
