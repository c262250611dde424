"""What the runtime owns on behalf of a run; programs hold none of it."""

from __future__ import annotations

from typing import NamedTuple

from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import Clock
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter


class World(NamedTuple):
    """What the runtime owns on behalf of a run; programs hold none of it.

    Attributes:
        journal: where everything that happens is kept.
        clock: real or virtual.
        streams: the master seed's random streams.
        purse: the run's budget.
        meter: the counters to turn.
    """

    journal: Journal
    clock: Clock
    streams: Streams
    purse: Purse
    meter: Meter
