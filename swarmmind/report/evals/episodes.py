"""The episodes of an eval for a page: numbers of all of them as flat lists, and in chunks what was said in each.

Instances are in the order of their difficulty, the hardest first; an arm's lists go instance by instance, seed by seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from swarmmind.evals.record import Instance, Played, Row
from swarmmind.report.evals import figures
from swarmmind.report.evals.source import Told
from swarmmind.report.pack import CHUNK_CHARACTERS, Packer

LIMIT_BYTES = 9_000_000
_OUTPUT_CHARACTERS, _WORDS_CHARACTERS = 6000, 1500
_HEAD_CHARACTERS, _NAME_CHARACTERS = 90, 300
_METRICS = 40


class Episodes:
    """What the page shows of single episodes.

    Args:
        told: the eval.
        limit_bytes: how much of texts, in the page, is enough; those of the easiest instances are left out first.

    Attributes:
        left_out: instances whose texts found no place.
        clipped: texts that are not in the page in full.
    """

    def __init__(self, told: Told, limit_bytes: int = LIMIT_BYTES) -> None:
        self.left_out = self.clipped = 0
        manifest = told.recorded.manifest
        self._manifest, self._limit_bytes = manifest, limit_bytes
        self._packer = Packer()
        self._places: list[tuple[int, int]] = []
        self._played: dict[tuple[str, str], list[Row]] = {}
        self._cases = {case.id: case for case in manifest.cases}
        self._labels: set[str] = set()
        for row in told.recorded.rows():
            self._labels.add(row.label)
            self._played.setdefault((row.instance.id, row.arm.id), []).append(row)
        self._instances = sorted(manifest.instances, key=self._ease)

    def _ease(self, instance: Instance) -> float:
        """The mean score of the arms; of all rows, if no arm has one. Without any score, it comes last."""
        for kinds in (("arm",), ("arm", "control", "baseline", "floor")):
            arms = [arm.id for arm in self._manifest.arms if arm.kind in kinds]
            rows = [row for arm in arms for row in self._played.get((instance.id, arm), [])]
            scores = [row.played.score for row in rows if row.played is not None and row.played.score is not None]
            if scores:
                return sum(scores) / len(scores)
        return float("inf")

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Id and letters of chunk after chunk; the attributes are whole when this has ended."""
        waiting: list[bytes] = []
        size = first = 0
        for number, instance in enumerate(self._instances):
            if self._packer.weight_bytes >= self._limit_bytes:
                self.left_out = len(self._instances) - number
                break
            waiting.append(msgspec.json.encode(self._detail(instance)))
            size += len(waiting[-1])
            if size >= CHUNK_CHARACTERS:
                yield self._packed(waiting, first)
                waiting, size, first = [], 0, number + 1
        if waiting:
            yield self._packed(waiting, first)

    def _packed(self, waiting: list[bytes], first: int) -> tuple[str, str]:
        self._places.append((self._packer.count, first))
        return self._packer.pack(b"[" + b",".join(waiting) + b"]")

    def _detail(self, instance: Instance) -> dict[str, Any]:
        said = [
            self._said(row.played) if row.played is not None else None
            for arm in self._manifest.arms
            for row in self._played.get((instance.id, arm.id), [])
        ]
        texts = (self._cut(instance.text, _OUTPUT_CHARACTERS), self._cut(instance.target, _WORDS_CHARACTERS))
        return {"text": texts[0], "target": texts[1], "kind": instance.kind, "said": said}

    def _said(self, played: Played) -> list[Any]:
        metrics = dict(list(played.metrics.items())[:_METRICS])
        texts = (self._cut(one, _WORDS_CHARACTERS) for one in (played.reason, played.error))
        return [self._cut(played.output, _OUTPUT_CHARACTERS), *texts, metrics]

    def _cut(self, words: str, most: int) -> str:
        if len(words) <= most:
            return words
        self.clipped += 1
        return f"{words[:most]}\n\n[{len(words) - most:,} characters more are not in this page but in journal.sqlite]"

    def data(self) -> dict[str, Any]:
        """The page's index: names, and the numbers of every episode."""
        manifest = self._manifest
        cases = {case.id: place for place, case in enumerate(manifest.cases)}
        planned = [[f"{arm.id} {case.id}" in manifest.plays for case in manifest.cases] for arm in manifest.arms]
        return {
            "arms": [[arm.name[:_NAME_CHARACTERS], arm.kind] for arm in manifest.arms],
            "cases": [(case.column or case.id)[:_NAME_CHARACTERS] for case in manifest.cases],
            "seeds": manifest.seeds,
            "planned": planned,
            "instances": [[self._called(one), cases[one.case], one.text[:_HEAD_CHARACTERS]] for one in self._instances],
            "episodes": [self._numbers(arm.id) for arm in manifest.arms],
            "places": self._places,
            "units": {name: unit for name, unit in list(manifest.units.items())[:_METRICS] if unit != 1},
            "shared": sum(map(len, self._played.values())) - len(self._labels),
            "left_out": self.left_out,
            "clipped": self.clipped,
        }

    def _called(self, instance: Instance) -> str:
        return figures.called(instance, self._cases[instance.case])[:_NAME_CHARACTERS]

    def _numbers(self, arm: str) -> dict[str, list[Any]]:
        """An arm's numbers; a score is `null` if the episode was not played, and `false` if it has none."""
        blank: list[Row | None] = [None] * len(self._manifest.seeds)
        rows = [row for one in self._instances for row in (self._played.get((one.id, arm)) or blank)]
        played = [row.played if row else None for row in rows]
        return {
            "scores": [None if one is None else False if one.score is None else _short(one.score) for one in played],
            "tokens": [_tokens(one) for one in played],
            "usd": [None if one is None else _short(one.usage.cost_usd) for one in played],
            "seconds": [None if one is None else _short(one.seconds) for one in played],
        }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _tokens(played: Played | None) -> int | None:
    if played is None or played.usage.prompt_tokens is None or played.usage.completion_tokens is None:
        return None
    return played.usage.prompt_tokens + played.usage.completion_tokens
