"""MusicSwarm as an `Environment`: one composer per bar, who sense and leave cues near their own bar."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.effects import Reply
from swarmmind.errors import UserError
from swarmmind.evals.musicswarm import prompt
from swarmmind.evals.musicswarm.bars import (
    FIELDS,
    PITCHES,
    RHYTHMS,
    SECTIONS,
    Bar,
    Cues,
    coherence,
    entropy,
    frequencies,
    welcome,
)
from swarmmind.evals.musicswarm.prompt import Observation
from swarmmind.evals.musicswarm.smallworld import sigma
from swarmmind.memory.grid import Grid
from swarmmind.ports import Turn
from swarmmind.rng import Streams

_CUE = 0.4
"""What a fully welcome class is left in a neighbor's place each round; under retention 0.6 it comes to 1."""
_OWN_SHARE = 0.5
_FIRST_STOP = 3
_REQUEST = "a calm piece that moves in fifths, never says the same twice in a row, and hangs together."
_SHOWN_WISHES = 3


class MusicSwarm:
    """N bars, N copies of one composer, no conductor (arXiv 2509.11973; the constants are this project's).

    Three cue fields - harmony, rhythm, section - have one place per bar. In a round each composer is asked with
    probability `asked`; it senses its own place, the two bars before it, and what its neighbors left; it keeps its bar
    or writes another. All answers are applied at once to the same frozen state; then the cues fade and every bar
    leaves new ones in its own place (half as strong) and its neighbors'. The piece is done when the share `consensus`
    of all bars was kept, after round 3 at the earliest. A resting composer keeps its bar; one that fails does not count
    as having kept it. So nothing travels more than two bars a round.

    The score is coherence of neighbors times entropy of roots, in [0, 1]: neither a jumble nor a single chord is music.

    Args:
        agents: how many bars; they are called `bar-1`, `bar-2`, ...
        rounds: how many are played at most.
        field: whether there are cues and neighbors' feedback; `false` is the ablation.
        critic: whether a critic of the whole piece tells everybody the same: the paper's central baseline.
        asked: the probability that a composer is asked in a round.
        retention: what is left of a cue after a round.
        consensus: the share of kept bars that ends the piece; above 1 it is played to the last round.
        attempts: how many of its own last answers a composer is shown.
        request: what the piece should be, told to everybody.
        opening: the root that the first bar begins with; drawn if left out.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(
        self,
        agents: int = 16,
        rounds: int = 30,
        *,
        field: bool = True,
        critic: bool = False,
        asked: float = 0.8,
        retention: float = 0.6,
        consensus: float = 0.9,
        attempts: int = 4,
        request: str = _REQUEST,
        opening: str | None = None,
    ) -> None:
        if agents < 1 or rounds < 1:
            raise UserError(f"musicswarm: agents and rounds must be at least 1, got {agents} and {rounds}")
        if not 0 < asked <= 1 or not 0 < retention <= 1:
            raise UserError(f"musicswarm: asked and retention must be in (0, 1], got {asked} and {retention}")
        if attempts < 0:
            raise UserError(f"musicswarm: attempts must not be negative, got {attempts}")
        if opening is not None and opening not in PITCHES:
            raise UserError(f"musicswarm: opening must be one of {', '.join(PITCHES)}, got {opening!r}")
        self._names = [f"bar-{number}" for number in range(1, agents + 1)]
        self._rounds, self._field, self._critic = rounds, field, critic
        self._asked, self._retention, self._consensus = asked, retention, consensus
        self._attempts, self._opening = attempts, opening
        self._shared = prompt.shared(agents, request)
        self.reset(0)

    @property
    def agents(self) -> Sequence[str]:
        """`bar-1`, `bar-2`, ... in the order of the piece."""
        return self._names

    @property
    def rounds(self) -> int:
        """How many rounds are played at most."""
        return self._rounds

    @property
    def done(self) -> bool:
        """Whether enough bars were kept in the last round, or no round is left."""
        agreed = self._round > _FIRST_STOP and self._kept >= self._consensus
        return agreed or self._round >= self._rounds

    @property
    def score(self) -> float:
        """Coherence of neighbors times entropy of roots, in [0, 1]."""
        return coherence(self.bars) * entropy(self.bars)

    def reset(self, seed: int) -> None:
        """Draw a first draft; who rests when depends on the seed alone."""
        self._streams = Streams(seed)
        rng = self._streams.rng("draft")
        sizes = [len(classes) for classes in FIELDS.values()]
        self.bars = [
            Bar(rng.randrange(sizes[0]), rng.randrange(sizes[1]), rng.randrange(sizes[2])) for _ in self._names
        ]
        if self._opening is not None:
            self.bars[0] = self.bars[0]._replace(root=PITCHES.index(self._opening))
        self._cues = [welcome(bar) for bar in self.bars]
        self._tried: list[deque[tuple[tuple[int, int, int], bool]]] = [
            deque(maxlen=self._attempts) for _ in self._names
        ]
        self.field = Grid(len(PITCHES), len(self._names), tuple(FIELDS), retention=self._retention)
        self._round, self._kept = 0, 0.0
        self._deposit()

    def turns(self) -> dict[str, Turn]:
        """What each composer that does not rest this round is told."""
        asked = [bar for bar in range(len(self._names)) if self._is_asked(bar)]
        critic = frequencies(self.bars) if self._critic else {}
        return {self._names[bar]: self._turn(bar, critic) for bar in asked}

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Apply all answers at once, let the cues fade, and leave new ones.

        Raises:
            UserError: a reply is for a name that is no bar here.
        """
        places = {name: at for at, name in enumerate(self._names)}
        if not replies.keys() <= places.keys():
            raise UserError(f"musicswarm: no bar {min(replies.keys() - places.keys())!r}")
        lost = 0
        for name, reply in replies.items():
            if reply is None or not reply.ok:
                lost += 1
            else:
                lost += self._written(places[name], reply.value)
        self._kept = 1 - lost / len(self._names)
        self._round += 1
        self.field.tick()
        self._deposit()

    def frame(self) -> dict[str, Any]:
        """The piece for people: a score sheet (roots by bar, rhythm and section below) and its measures."""
        notes = {self._names[at]: bar.notes for at, bar in enumerate(self.bars) if bar.notes}
        return {
            "round": self._round,
            "score": self.score,
            "coherence": coherence(self.bars),
            "entropy": entropy(self.bars),
            "kept": self._kept,
            "grid": _sheet(self.bars),
            "bars": [bar.named() for bar in self.bars],
            "messages": notes,
        }

    def metrics(self) -> dict[str, float]:
        """Coherence, entropy, rounds played, whether composers agreed (1 or 0), and, where defined, sigma."""
        found = {
            "coherence": coherence(self.bars),
            "entropy": entropy(self.bars),
            "rounds": float(self._round),
            "stopped": float(self._round > _FIRST_STOP and self._kept >= self._consensus),
        }
        small = sigma(self.bars)
        return found if small is None else {**found, "sigma": small}

    def _is_asked(self, bar: int) -> bool:
        return self._streams.rng(f"asked/{self._round}/{bar}").random() < self._asked

    def _turn(self, bar: int, critic: Cues) -> Turn:
        neighbors = [at for at in (bar - 1, bar + 1) if self._field and 0 <= at < len(self.bars)]
        observation = Observation(
            bar=bar,
            round=self._round,
            own=self.bars[bar].classes,
            before=tuple(self.bars[at].classes for at in (bar - 1, bar - 2) if at >= 0),
            sensed=self._sensed(bar) if self._field else {},
            feedback=tuple((at, _wishes(self._cues[at])) for at in neighbors),
            said=tuple((at, self.bars[at].notes) for at in neighbors if self.bars[at].notes),
            attempts=tuple(self._tried[bar]),
            critic=critic,
        )
        return Turn((self._shared, prompt.private(observation)), observation, prompt.ANSWER)

    def _sensed(self, bar: int) -> Cues:
        layers = {kind: self.field.layer(kind) for kind in FIELDS}
        return {kind: tuple(layers[kind][: len(classes), bar].tolist()) for kind, classes in FIELDS.items()}

    def _written(self, place: int, value: Mapping[str, Any]) -> bool:
        """Write what a composer answered; whether its bar changed."""
        old = self.bars[place]
        if not value["keep"]:
            root, rhythm = PITCHES.index(value["root"]), RHYTHMS.index(value["rhythm"])
            notes = str(value.get("notes", ""))[: prompt.MAX_NOTES_CHARACTERS]
            self.bars[place] = Bar(root, rhythm, SECTIONS.index(value["section"]), notes)
        new = self.bars[place]
        asked_for = value.get("cues") or {}
        if asked_for or new.classes != old.classes:
            self._cues[place] = {**welcome(new), **_named(asked_for)}
        kept = new.classes == old.classes
        self._tried[place].append((new.classes, kept))
        return not kept

    def _deposit(self) -> None:
        for bar, cues in enumerate(self._cues):
            for place in range(max(0, bar - 1), min(len(self.bars), bar + 2)):
                weight = _CUE * (_OWN_SHARE if place == bar else 1.0)
                for kind, strengths in cues.items():
                    for row, strength in enumerate(strengths):
                        if strength:
                            self.field.deposit(kind, row, place, weight * strength, bar)


def _named(asked_for: Mapping[str, Sequence[str]]) -> Cues:
    """Cues in an agent's own words: each class it names is fully welcome, no other is; a field it leaves out stays."""
    return {kind: tuple(float(word in asked_for[kind]) for word in FIELDS[kind]) for kind in asked_for}


def _wishes(cues: Cues) -> dict[str, tuple[str, ...]]:
    """What a bar welcomes most, in words."""
    found: dict[str, tuple[str, ...]] = {}
    for kind, strengths in cues.items():
        ranked = sorted(range(len(strengths)), key=lambda at: -strengths[at])[:_SHOWN_WISHES]
        found[kind] = tuple(FIELDS[kind][at] for at in ranked if strengths[at] > 0)
    return found


def _sheet(bars: Sequence[Bar]) -> list[str]:
    """Rows of equal length: a pitch each, high to low, with a mark per bar; below, rhythm (1 calm) and section."""
    rows = [f"{PITCHES[at]:<2} " + "".join("o" if bar.root == at else "." for bar in bars) for at in range(11, -1, -1)]
    rows.append("   " + "".join(str(bar.rhythm + 1) for bar in bars))
    rows.append("   " + "".join(SECTIONS[bar.section][0] for bar in bars))
    return rows
