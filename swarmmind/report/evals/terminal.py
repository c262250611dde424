"""The table of an eval on the terminal: plain text, never wider than it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from swarmmind.evals.table import Cell, Estimate, Line, Table
from swarmmind.report.evals import figures
from swarmmind.report.text import coverage_line, duration, number, visible

WIDTH_CHARACTERS = 100
_NAME_CHARACTERS = 34
_BAR_CHARACTERS = 24
_DIFFERENCES = 24
_WORDS_CHARACTERS = 1000


class _Column(NamedTuple):
    head: str
    cells: list[str]
    left: bool = False

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.head, *self.cells)))


def lines(table: Table, folder: Path | None = None, width_characters: int = WIDTH_CHARACTERS) -> list[str]:
    """The last words of an eval: its table, what differs, and how much of it was played.

    Args:
        table: the eval in numbers.
        folder: the run's folder, whose report is named; `None` if there is none.
        width_characters: how wide a line may be; columns that find no place stand below, never cut.

    Returns:
        Lines without markup and color codes; hostile characters in names are made visible.
    """
    width = max(width_characters, 40)
    count = f"{_count(table.instances, 'instance')} x {_count(table.seeds, 'seed')}"
    found = [*_wrapped(f"{table.name[:_WORDS_CHARACTERS]}: {count}, mean [95 % interval]", width), ""]
    found += _grid(_labels(table, width), _scores(table), width)
    bill = _bill(table)
    if bill:
        found += ["", "per episode", *_grid(_labels(table, width)[: len(bill[0].cells)], bill, width)]
    found += _differences(table, width)
    found.append("")
    coverage = {name: getattr(table, name) for name in ("planned", "finished", "failed", "cancelled")}
    remarks = [f"episodes: {coverage_line(coverage)}", *_remarks(table)]
    found += [line for one in remarks for line in _wrapped(one, width)]
    if folder is not None:
        found.append(f"report: {visible(str(folder))}/eval.html")
    return [line.rstrip() for line in found]


def _labels(table: Table, width: int) -> list[str]:
    """The first column: rows, what a guess scores, papers' rows."""
    most = min(_NAME_CHARACTERS, width // 2)
    labels = [_label(line, most) for line in figures.ordered(table)]
    labels += [_fit("guess", most)] if table.guess else []
    return (
        labels
        + (["published"] if table.published else [])
        + ["  " + _fit(row.name, most - 2) for row in table.published]
    )


def _label(line: Line, most: int) -> str:
    kind = figures.KINDS[line.arm.kind]
    tail = f" ({kind})" if kind else ""
    indent = "  " if line.arm.kind == "control" else ""
    return indent + _fit(line.arm.name, most - len(tail) - len(indent)) + tail


def _scores(table: Table) -> list[_Column]:
    rows = figures.ordered(table)
    counts = [line.total.score.n if line.total.score else 0 for line in rows]
    total = "sum" if table.headline == "sum" else "total" if table.columns else "score"
    if len(set(counts)) == 1:
        total += f" (n={number(counts[0])})"
    found = [_column(table, total, "", [line.total for line in rows])]
    found.append(_Column("", _bars(table, rows), left=True))
    if len(set(counts)) > 1:
        found.append(_Column("n", list(map(number, counts))))
    heads = zip(table.columns, figures.heads(table.columns), strict=True)
    return found + [
        _column(table, _fit(head, 24), one, [line.columns.get(one) for line in rows]) for one, head in heads
    ]


def _column(table: Table, head: str, name: str, cells: list[Cell | None]) -> _Column:
    """Scores below each other: of the rows, of a guess, and of papers."""
    places = figures.decimals(figures.values(table, name))
    found = ["-" if cell is None else figures.estimate(cell.score, places) for cell in cells]
    if table.guess:
        found.append(f"{table.guess[name]:,.{places}f}" if name in table.guess else "")
    beside = [figures.published(paper, places) for paper in figures.papers(table, name)]
    return _Column(head, found + [""] * bool(beside) + beside)


def _bars(table: Table, rows: list[Line]) -> list[str]:
    """Totals drawn over one axis, `├─●──┤`; a paper's is hollow, a guess a stroke."""
    marks: list[tuple[str, Estimate | float | None]] = [("●", line.total.score) for line in rows]
    marks += [("¦", table.guess.get(""))] if table.guess else []
    marks += [("○", None)] * bool(table.published) + [("○", row.total) for row in table.published]
    ends = [end for _, one in marks for end in _ends(one)]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    return [_bar(sign, one, low, high) if high > low else "" for sign, one in marks]


def _ends(one: Estimate | float | None) -> tuple[float, ...]:
    if one is None or isinstance(one, int | float):
        return () if one is None else (one,)
    return tuple(value for value in (one.low, one.mean, one.high) if value is not None)


def _bar(sign: str, one: Estimate | float | None, low: float, high: float) -> str:
    found = ["·"] * _BAR_CHARACTERS
    ends = [round((end - low) / (high - low) * (_BAR_CHARACTERS - 1)) for end in _ends(one)]
    if not ends:
        return ""
    first, last = min(ends), max(ends)
    found[first : last + 1] = "─" * (last + 1 - first)
    if len(ends) > 1:
        found[first], found[last] = "├", "┤"
    found[ends[len(ends) // 2]] = sign
    return "".join(found)


def _bill(table: Table) -> list[_Column]:
    rows = [line.total for line in figures.ordered(table)]
    wanted: list[tuple[str, bool, Callable[[Cell], str]]] = [
        ("calls", any(one.calls for one in rows), lambda one: number(float(f"{one.calls:.3g}"))),
        ("tokens", figures.spends(table), lambda one: figures.tokens(one.tokens)),
        ("usd", any(one.usd is None or one.usd > 0 for one in rows), lambda one: figures.money(one.usd)),
        ("seconds", any(one.seconds for one in rows), lambda one: duration(one.seconds)),
        ("missing", any(one.missing for one in rows), lambda one: number(one.missing)),
        ("flips", any(one.flip_rate is not None for one in rows), lambda one: _share(one.flip_rate)),
    ]
    ks = sorted({k for one in rows for k in one.pass_at}, key=lambda k: (len(k), k))
    also = list(dict.fromkeys(name for one in rows for name in one.also))
    return [
        *(_Column(head, [say(one) for one in rows]) for head, there, say in wanted if there),
        *(_Column(f"pass@{k}", [_share(one.pass_at.get(k)) for one in rows]) for k in ks),
        *(_Column(_fit(name, 24), figures.measured(rows, name)) for name in also),
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.3g} %"


def _grid(labels: list[str], columns: Iterable[_Column], width: int) -> list[str]:
    """Columns side by side; what finds no place stands below, with the labels again."""
    side = max(map(cell_len, labels), default=0)
    blocks: list[list[_Column]] = [[]]
    taken = side
    for column in columns:
        if blocks[-1] and taken + 2 + column.width > width:
            blocks.append([])
            taken = side
        blocks[-1].append(column)
        taken += 2 + column.width
    found: list[str] = []
    for place, block in enumerate(blocks):
        found += [""] * (place > 0)
        found.append(" " * side + "".join("  " + _set(one.head, one) for one in block))
        for row, label in enumerate(labels):
            values = [one.cells[row] if row < len(one.cells) else "" for one in block]
            cells = "".join("  " + _set(value, one) for value, one in zip(values, block, strict=True))
            found.append(set_cell_size(label, side) + cells)
    return found


def _set(words: str, column: _Column) -> str:
    space = " " * (column.width - cell_len(words))
    return words + space if column.left else space + words


def _differences(table: Table, width: int) -> list[str]:
    found = figures.differences(table)
    if not found:
        return []
    shown = [line for one in found[:_DIFFERENCES] for line in _wrapped(one.words[:_WORDS_CHARACTERS], width, "- ")]
    left = len(found) - _DIFFERENCES
    more = [f"  and {_count(left, 'comparison')} more in the report"] if left > 0 else []
    return ["", *shown, *more]


def _remarks(table: Table) -> list[str]:
    found: list[str] = []
    if table.published:
        sources = dict.fromkeys(row.source for row in table.published)
        found.append(f"published rows: as reported, ± their own standard deviation; {'; '.join(sources)}")
    if table.threshold is not None:
        names = figures.names(table)
        below = ", ".join(names.get(one, one) for one in table.below)
        verdict = f"not reached by {below}" if below else "reached by every arm"
        found.append(f"threshold {figures.score(table.threshold)}: {verdict}")
    return found + [f"warning: {warning[:_WORDS_CHARACTERS]}" for warning in table.warnings]


def _wrapped(words: str, width: int, bullet: str = "") -> list[str]:
    """Lines of whole words, later ones indented; a word that is too long for a line is broken."""
    found, line, indent = list[str](), bullet, "  "
    for word in _one_line(words).split(" "):
        for piece in chop_cells(word, width - len(indent)):
            longer = f"{line}{piece}" if line in (bullet, indent) else f"{line} {piece}"
            if cell_len(longer) > width:
                found.append(line)
                longer = indent + piece
            line = longer
    return [*found, line]


def _fit(words: str, most: int) -> str:
    """On one line, and no wider; what is left out in the middle is a sign, since names differ at their ends."""
    words = _one_line(words)
    if cell_len(words) <= most:
        return words
    head, tail = (most - 1) // 2, most // 2
    kept = words[-tail:]
    while cell_len(kept) > tail:
        kept = kept[1:]
    return set_cell_size(words, head).rstrip() + "…" + kept


def _one_line(words: str) -> str:
    return visible(" ".join(words.split()))


def _count(count: int, word: str) -> str:
    return f"{number(count)} {word}{'' if count == 1 else 's'}"
