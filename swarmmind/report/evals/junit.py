"""An eval as JUnit XML, which every build server reads: an episode of an arm is a test case.

Only arms are tested: controls, baselines and floors are what they are measured against, and a floor that scores low is
no failure. An episode passes with the threshold, where that speaks of single scores, else with the full score of 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from swarmmind.evals.record import Arm, Row
from swarmmind.report import text
from swarmmind.report.evals import figures
from swarmmind.report.evals.source import Told

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME_CHARACTERS, _TEXT_CHARACTERS = 300, 4000
_SLACK = 1e-9


def junit(given: Told) -> Iterator[str]:
    """The document, test suite by test suite: one for each arm, and one for the threshold if there is one."""
    enough = _enough(given)
    suites = [(arm, [row for row in given.recorded.rows() if row.arm is arm]) for arm in _arms(given)]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites name={_name(given.table.name)}>\n"
    for arm, rows in suites:
        failed, lost, skipped = _counts(rows, enough)
        seconds = sum(row.played.seconds for row in rows if row.played is not None)
        yield (
            f'<testsuite name={_name(f"eval.{arm.name}")} tests="{len(rows)}" failures="{failed}" errors="{lost}"'
            f' skipped="{skipped}" time="{seconds:.3f}">\n'
        )
        yield from (_case(row, enough) for row in rows)
        yield "</testsuite>\n"
    yield from _threshold(given)
    yield "</testsuites>\n"


def _arms(given: Told) -> list[Arm]:
    return [arm for arm in given.recorded.manifest.arms if arm.kind == "arm"]


def _enough(given: Told) -> float:
    """What an episode must score: a threshold of sums, or in other units, says nothing of a single one."""
    manifest = given.recorded.manifest
    single = manifest.headline == "mean" and not manifest.units
    return manifest.threshold if single and manifest.threshold is not None else 1.0


def _counts(rows: list[Row], enough: float) -> tuple[int, int, int]:
    scores = [row.played.score for row in rows if row.played is not None]
    failed = sum(score is not None and score < enough - _SLACK for score in scores)
    return failed, scores.count(None), sum(row.played is None for row in rows)


def _case(row: Row, enough: float) -> str:
    name = f"{figures.called(row.instance, row.case)} seed {row.seed}"
    seconds = row.played.seconds if row.played is not None else 0.0
    head = f'<testcase classname={_name(f"eval.{row.arm.name}")} name={_name(name)} time="{seconds:.3f}"'
    body = _told(row, enough)
    return f"{head}>{body}</testcase>\n" if body else f"{head}/>\n"


def _told(row: Row, enough: float) -> str:
    played = row.played
    if played is None:
        return '<skipped message="not played"/>'
    if played.score is None:
        return f"<error message={_name(played.error or 'no score')}/>"
    if played.score >= enough - _SLACK:
        return ""
    message = f"score {played.score:.6g}, expected {enough:g} or more" + (f": {played.reason}" if played.reason else "")
    parts = [("problem", row.instance.text), ("expected", row.instance.target), ("output", played.output)]
    said = "\n".join(f"{head}: {words}" for head, words in [*parts, ("error", played.error)] if words)
    return f"<failure message={_name(message)}>{escape(_clean(said, _TEXT_CHARACTERS))}</failure>"


def _threshold(given: Told) -> Iterator[str]:
    table = given.table
    if table.threshold is None:
        return
    arms = [line for line in table.lines if line.arm.kind == "arm"]
    below = [line for line in arms if line.arm.id in table.below]
    yield f'<testsuite name="eval.threshold" tests="{len(arms)}" failures="{len(below)}" errors="0" skipped="0">\n'
    for line in arms:
        head = f'<testcase classname="eval.threshold" name={_name(line.arm.name)} time="0.000"'
        found = f"{figures.estimate(line.total.score)}, expected {table.threshold:g} or more"
        yield f"{head}><failure message={_name(found)}/></testcase>\n" if line in below else f"{head}/>\n"
    yield "</testsuite>\n"


def _name(words: str) -> str:
    return quoteattr(_clean(" ".join(words.split()), _NAME_CHARACTERS))


def _clean(words: str, most: int) -> str:
    """Signs for control characters, and nothing that XML 1.0 (section 2.2) has no place for."""
    kept = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text.visible(words))
    return kept if len(kept) <= most else f"{kept[:most]} ... {len(kept) - most:,} characters more"
