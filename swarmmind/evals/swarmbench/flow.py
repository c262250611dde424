"""Who moves, in general: a closure problem, solved exactly by a minimum cut.

Every body of a scene has a gain, its pushing force minus what it needs to move. A set of bodies moves if whatever is
directly ahead of a member is a member, and if every subset that contains all its rear neighbors has a gain of at least
zero. The sets that fail are closed towards the rear, so the bodies that stay are the smallest such set of largest
total loss: one minimum cut, found with augmenting paths from bodies with too little force back to bodies with some to
spare. Rigid cycles need no care: force passes round a cycle, so its members pool their gains and move together.
"""

from __future__ import annotations

from collections.abc import Sequence


def movers(gains: Sequence[int], ahead: Sequence[Sequence[int]], stuck: Sequence[bool]) -> list[bool]:
    """The largest set that moves.

    Args:
        gains: per body, own force minus need.
        ahead: per body, the indices of the bodies directly ahead of it.
        stuck: per body, whether something that never moves is directly ahead of it.

    Returns:
        per body, whether it moves.
    """
    behind: list[list[int]] = [[] for _ in gains]
    for body, others in enumerate(ahead):
        for other in others:
            behind[other].append(body)
    stays = _held_up(stuck, behind)
    excess = list(gains)
    passed: list[dict[int, int]] = [{} for _ in gains]  # passed[u][v]: force that u hands on to v, v ahead of u
    for needy in range(len(gains)):
        while excess[needy] < 0 and not stays[needy]:
            source, toward = _supplier(needy, excess, behind, ahead, passed, stays)
            if source < 0:
                for body in toward:  # nothing more can reach these, nor what they would have to wait for
                    stays[body] = True
            else:
                _hand_on(source, needy, toward, excess, passed)
    return [not stay for stay in stays]


def _held_up(stuck: Sequence[bool], behind: Sequence[Sequence[int]]) -> list[bool]:
    """Everything that has, through any chain of contacts, an immovable thing ahead."""
    stays = list(stuck)
    queue = [body for body, held in enumerate(stays) if held]
    while queue:
        for body in behind[queue.pop()]:
            if not stays[body]:
                stays[body] = True
                queue.append(body)
    return stays


def _supplier(
    needy: int,
    excess: Sequence[int],
    behind: Sequence[Sequence[int]],
    ahead: Sequence[Sequence[int]],
    passed: Sequence[dict[int, int]],
    stays: Sequence[bool],
) -> tuple[int, dict[int, int]]:
    """The nearest body with force to spare for `needy` (-1: none), and per body reached the next one towards it."""
    toward = {needy: needy}
    queue = [needy]
    for body in queue:
        if excess[body] > 0:
            return body, toward
        for other in behind[body]:
            if other not in toward and not stays[other]:
                toward[other] = body
                queue.append(other)
        for other in ahead[body]:  # what body hands on to other, it could keep if other were fed otherwise
            if other not in toward and not stays[other] and passed[body].get(other, 0) > 0:
                toward[other] = body
                queue.append(other)
    return -1, toward


def _hand_on(
    source: int, needy: int, toward: dict[int, int], excess: list[int], passed: Sequence[dict[int, int]]
) -> None:
    """Send as much as fits from `source` along `toward` to `needy`."""
    amount = min(excess[source], -excess[needy])
    steps: list[tuple[int, int]] = []
    body = source
    while body != needy:
        following = toward[body]
        steps.append((body, following))
        back = passed[following].get(body, 0)
        if back:
            amount = min(amount, back)
        body = following
    for body, following in steps:
        if passed[following].get(body, 0):
            passed[following][body] -= amount
        else:
            passed[body][following] = passed[body].get(following, 0) + amount
    excess[source] -= amount
    excess[needy] += amount
