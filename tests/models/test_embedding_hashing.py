from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.models.embed_hashing import Hashing
from swarmmind.ports import Call
from swarmmind.testing import LooseCall, check_embedder
from swarmmind.traces import Embedding

RELATED = [
    ("The agent found food near the river", "Food was found by an agent at the river bank"),
    ("How do I sort a list in Python?", "Python: sorting lists"),
    ("Validate the proof of the lemma", "the lemma's proof was validated"),
    ("Move north to the exit", "moving northward toward exits"),
    ("sum of the digits of 2**100", "digit sum of 2**100"),
    ("geometry: area of a triangle", "the triangle's area"),
    ("Wie hoch ist der Kölner Dom?", "die Höhe des Kölner Doms"),
    ("東京の天気は晴れです", "東京の天気予報"),
]
GOLDEN = {
    "": "8bb908b15418eb70",
    "hello, world": "3cabe3e70e6d583e",
    "The agent found food near the river": "ca09c5c1158aea3d",
    "Straße, ΣΊΣΥΦΟΣ ﬁne": "758b3fc21d9beb98",
    "東京の天気": "25b2c79ff3bb85b3",
    "!?": "e27006ffb2010a6e",
}


def near(a: str, b: str, hashing: Hashing | None = None) -> float:
    hashing = hashing or Hashing()
    return float(np.frombuffer(hashing.vector(a), "<f4") @ np.frombuffer(hashing.vector(b), "<f4"))


@pytest.mark.parametrize("pair", RELATED, ids=[pair[0] for pair in RELATED])
def test_related_texts_are_nearer_than_all_unrelated_ones(pair: tuple[str, str]) -> None:
    others = [text for other in RELATED if other != pair for text in other]
    assert near(*pair) > max(near(text, other) for text in pair for other in others) + 0.05


def test_inner_products_of_features_are_kept_on_average() -> None:
    exact = near(*RELATED[0], Hashing(2**16))
    few = [near(*RELATED[0], Hashing(dimensions)) for dimensions in range(250, 280)]
    assert abs(sum(few) / len(few) - exact) < 0.05
    unrelated = [near(a, b) for a, _ in RELATED for _, b in RELATED if (a, b) not in RELATED]
    assert abs(sum(unrelated) / len(unrelated)) < 0.1  # with signs, collisions cancel out; without, they add up


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_bytes(text: str) -> None:
    """If this fails, stores on disk hold vectors of another embedder: give it another name before you change this."""
    assert blake2b(Hashing().vector(text), digest_size=8).hexdigest() == GOLDEN[text]


def test_it_does_not_depend_on_the_seed_of_pythons_hash() -> None:
    code = "from swarmmind.models.embed_hashing import Hashing; print(Hashing(32).vector('a b c abc').hex())"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {Hashing(32).vector("a b c abc").hex()}


@given(st.text(), st.integers(8, 300))
def test_every_text_has_a_direction(text: str, dimensions: int) -> None:
    vector = np.frombuffer(Hashing(dimensions).vector(text), "<f4")
    assert vector.shape == (dimensions,)
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5


@given(st.lists(st.sampled_from(["ant", "bee", "colony", "nest", "trail"]), min_size=1, max_size=8))
def test_case_and_punctuation_do_not_matter_and_words_do(words: list[str]) -> None:
    plain, loud = " ".join(words), "! ".join(words).upper() + "?"
    assert Hashing().vector(plain) == Hashing().vector(loud)
    assert Hashing().vector(plain) != Hashing().vector(plain + " queen")


def test_order_matters_a_little_and_repetition_less_than_twice() -> None:
    assert 0.7 < near("dog bites man", "man bites dog") < 0.999
    assert near("ant ant ant ant bee", "bee") > near("ant " * 400 + "bee", "bee") > 0.02
    assert near("ant ant ant ant bee", "bee") > 1 / 4 * near("ant bee", "bee")


def test_its_name_says_which_vectors_it_gives() -> None:
    found = Hashing(32).embed(["a", "b"], LooseCall())
    assert (Hashing().name, Hashing(32).name) == ("hashing@256", "hashing@32")
    assert found.vectors().shape == (2, 32)
    assert (found.usage.calls, found.failure) == (0, None)
    assert found.data == Hashing(32).vector("a") + Hashing(32).vector("b")


@pytest.mark.anyio
async def test_it_conforms() -> None:
    await check_embedder(Hashing())
    with pytest.raises(AssertionError, match="in the order of the texts"):
        await check_embedder(Shuffling())


class Shuffling(Hashing):
    def embed(self, texts: Sequence[str], call: Call) -> Embedding:
        return super().embed(sorted(texts), call)
