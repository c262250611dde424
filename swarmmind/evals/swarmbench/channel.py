"""How messages travel: as the original has it, or corrupted and late (arXiv 2505.04364 v4, section L.4).

The paper says no more than that a message was corrupted with a chance of 20 % and came 0 to 4 steps late. Here both
happen to a message when it is sent, so that all who hear it, its speaker included, hear the same at the same time:

- a corrupted message keeps its length and blanks; each other character is, with a chance of one half, replaced by a
  random small letter or digit;
- a late one arrives after 0 to `delay` further rounds, each as likely, and is audible to those who are near its
  speaker then.

Nobody is told of it. What an agent remembers of its own words is what it said.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from string import ascii_lowercase, digits

from swarmmind.rng import Streams

GARBLED = 0.5
"""The share of characters that a corrupted message loses."""
_NOISE = ascii_lowercase + digits

Said = tuple[int, str]
"""Who said it, and the text."""


class Channel:
    """Carries what was said from one round to the next, or to a later one.

    Args:
        corruption: the chance that a message is corrupted, in [0, 1].
        delay: most further rounds that a message may take.
        seed: of all chance; a channel without noise draws nothing.
    """

    def __init__(self, corruption: float = 0.0, delay: int = 0, seed: int = 0) -> None:
        streams = Streams(seed)
        self._corruption, self._delay = corruption, delay
        # Streams of their own: who compares noise with delay compares them on the same draws.
        self._damage, self._lateness = streams.rng("messages/corruption"), streams.rng("messages/delay")
        self._under_way: list[list[Said]] = [[] for _ in range(delay + 1)]

    def carry(self, said: Sequence[Said]) -> list[Said]:
        """Take what was said in a round; returns what arrives before the next one, in the speakers' order.

        Of one speaker's messages that arrive together, the older comes first.
        """
        for speaker, text in said:
            if self._corruption and self._damage.random() < self._corruption:
                text = garbled(text, self._damage)
            late = self._lateness.randint(0, self._delay) if self._delay else 0
            self._under_way[late].append((speaker, text))
        arrived = self._under_way.pop(0)
        self._under_way.append([])
        return sorted(arrived, key=lambda message: message[0])


def garbled(text: str, rng: random.Random) -> str:
    """A text of which half the characters are lost."""
    return "".join(
        rng.choice(_NOISE) if not character.isspace() and rng.random() < GARBLED else character for character in text
    )
