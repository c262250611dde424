"""Work that travels along the edges of a graph (MacNet, arXiv 2406.07155): drafted, criticized, revised and merged.

Only the artifact travels. A prompt holds the task, what it is about, quoted, and at most one comment: what was said on
earlier edges is in no prompt, so prompts do not grow with the depth of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.agents.prompts import quoted
from swarmmind.effects import TEXT, Ask, Reply
from swarmmind.errors import Stop
from swarmmind.topologies.macnet.prompts import Artifact, Seat, asked, is_finished
from swarmmind.topologies.macnet.score import Prune, survivors
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society

_ANSWERED = Reply()


class Desk:
    """Where the artifacts of one run are worked on, and its failures are judged.

    Args:
        society: whose question and policy hold.
        unit: how many candidates one merge takes.
        prune: whether the worse half of many candidates is dropped, and by which score.
        skip_finished: whether an artifact that a critic would not change goes on without its actor being asked.

    Attributes:
        furthest: the artifact that most steps lie behind, the first one of equals.
        replies: one for every ask that was answered or failed; only failures are whole.
    """

    def __init__(self, society: Society, unit: int, prune: Prune, skip_finished: bool) -> None:
        self._society, self._unit, self._skips = society, unit, skip_finished
        self._prune: Prune = prune
        self.furthest: Artifact | None = None
        self.replies: list[Reply] = []

    def draft(self, seat: Seat) -> Steps[Artifact | None]:
        """A first version, or `None` if it failed."""
        [reply] = yield [asked(self._society, seat, "draft", [])]
        return self._written(seat, reply)

    def revised(self, seat: Seat, given: Artifact | None) -> Steps[Artifact | None]:
        """What an edge makes of its predecessor's artifact: criticized, then revised, both under this seat's profile.

        If its critic or actor fails, it is the artifact as it was; if there is none, it is a draft.
        """
        if given is None:
            return (yield from self.draft(seat))
        work = given.quoted("artifact")
        [said] = yield [asked(self._society, seat, "criticize", [work], TEXT, artifact=given.text)]
        comment = self._heard(said)
        if comment is None or (self._skips and is_finished(comment)):
            return given
        shown = [work, quoted(seat.agent.id, comment, "comment")]
        [reply] = yield [asked(self._society, seat, "revise", shown, artifact=given.text, comment=comment)]
        return self._written(seat, reply, given) or given

    def merged(self, seat: Seat, candidates: Sequence[Artifact]) -> Steps[Artifact | None]:
        """One artifact of several, by a tree of merges; those of one level are asked for at once.

        A merge that fails comes to the first candidate of its group.
        """
        left = [candidates[at] for at in survivors([one.text for one in candidates], self._prune)]
        while len(left) > 1:
            groups = [left[at : at + self._unit] for at in range(0, len(left), self._unit)]
            merging = [group for group in groups if len(group) > 1]
            try:
                replies = iter((yield [self._merge(seat, group) for group in merging]))
            except Stop as stop:
                for group, reply in zip(merging, stop.results, strict=True):
                    if reply.ok:
                        self._written(seat, reply, *group)
                raise
            left = [(len(group) > 1 and self._written(seat, next(replies), *group)) or group[0] for group in groups]
        return left[0] if left else None

    def _merge(self, seat: Seat, group: Sequence[Artifact]) -> Ask:
        shown = [one.quoted(f"candidate {at}") for at, one in enumerate(group, 1)]
        return asked(self._society, seat, "merge", shown, artifacts=[one.text for one in group])

    def _heard(self, reply: Reply) -> str | None:
        """What was said; `None` if the agent failed and the policy goes on without it.

        Raises:
            Failed: the policy does not.
        """
        self.replies.append(_ANSWERED if reply.ok else reply)
        if reply.ok:
            return reply.value if isinstance(reply.value, str) else reply.text
        if self._society.policy.kind == "fail":
            self._society.policy.check([reply])
        return None

    def _written(self, seat: Seat, reply: Reply, *given: Artifact) -> Artifact | None:
        """The artifact that an agent made of others; `None` if it failed or wrote nothing."""
        text = self._heard(reply)
        if not text or not text.strip():
            return None
        made = Artifact(text, seat.agent.id, 1 + max((one.steps for one in given), default=0))
        if self.furthest is None or made.steps > self.furthest.steps:
            self.furthest = made
        return made
