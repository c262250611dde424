"""What programs on a worker have asked is counted there, and added up at the head when they are over."""

from __future__ import annotations

import msgspec

from swarmmind.effects import Usage
from swarmmind.runtime.meter import Grievance, Meter, Tally
from swarmmind.runtime.remote.messages import Counted


def counted(meter: Meter) -> Counted:
    """What a meter has counted, on its way to the head."""
    return Counted(
        {role: (each.planned, each.finished, each.failed, each.cancelled) for role, each in meter.roles.items()},
        msgspec.msgpack.encode(meter.usage),
        meter.replayed,
        {kind: (each.count, each.example) for kind, each in meter.failures.items()},
        msgspec.msgpack.encode(meter.latest),
    )


def add_up(counted: Counted, meter: Meter) -> None:
    """Count what was counted elsewhere, here and all the way up."""
    usage = msgspec.msgpack.decode(counted.usage, type=Usage)
    latest = msgspec.msgpack.decode(counted.latest)
    above: Meter | None = meter
    while above is not None:
        _add(counted, above)
        if usage.calls:
            above.usage += usage
        above.latest.update(latest)
        above = above.parent


def _add(counted: Counted, meter: Meter) -> None:
    meter.replayed += counted.replayed
    for role, (planned, finished, failed, cancelled) in counted.roles.items():
        tally = meter.roles.setdefault(role, Tally())
        tally.planned += planned
        tally.finished += finished
        tally.failed += failed
        tally.cancelled += cancelled
    for kind, (count, example) in counted.failures.items():
        known = meter.failures.setdefault(kind, Grievance(kind, 0, example))
        known.count += count
