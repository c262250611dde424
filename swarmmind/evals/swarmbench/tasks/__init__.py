"""The five tasks of SwarmBench, one file each."""

from __future__ import annotations

from swarmmind.evals.swarmbench.tasks.base import MOVES, Task
from swarmmind.evals.swarmbench.tasks.flocking import Flocking
from swarmmind.evals.swarmbench.tasks.foraging import Foraging
from swarmmind.evals.swarmbench.tasks.pursuit import Pursuit
from swarmmind.evals.swarmbench.tasks.synchronization import Synchronization
from swarmmind.evals.swarmbench.tasks.transport import Transport

TASKS: dict[str, type[Task]] = {
    "pursuit": Pursuit,
    "synchronization": Synchronization,
    "foraging": Foraging,
    "flocking": Flocking,
    "transport": Transport,
}

__all__ = ["MOVES", "TASKS", "Flocking", "Foraging", "Pursuit", "Synchronization", "Task", "Transport"]
