"""Progress on stderr while a run goes on: read from its counters by a thread, off the run's path."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from swarmmind.cli.studies import progress_line
from swarmmind.report.text import duration, grid_text, number, usd, visible
from swarmmind.runs.execute import Progress

_LIVE_PER_SECOND = 5
_PLAIN_SECONDS = 5.0
_MAX_GRID_ROWS = 40


class _OnStderr(logging.Handler):
    """What servers that are started have to say, for as long as a command goes on."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(visible(record.getMessage()) + "\n")


@contextmanager
def told() -> Generator[None]:
    """Tell on stderr what is logged about servers."""
    logger, handler = logging.getLogger("swarmmind"), _OnStderr()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class Display(StrEnum):
    """How progress is shown."""

    auto = "auto"
    live = "live"
    plain = "plain"
    none = "none"


class Watcher:
    """Shows a run's progress from `begin` to the end of its `with` block.

    Attributes:
        folder: the run's folder, once it has begun.
    """

    def __init__(self, display: Display) -> None:
        self._console = Console(stderr=True, highlight=False)
        dumb = not self._console.is_terminal or bool(os.environ.get("CI"))
        self._display = (Display.plain if dumb else Display.live) if display is Display.auto else display
        self._progress: Progress | None = None
        self._live: Live | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._speed = _Speed()
        self._began = time.monotonic()
        self._stack = ExitStack()
        self.folder: Path | None = None

    def __enter__(self) -> Watcher:
        if self._display is not Display.none:
            self._stack.enter_context(told())
        return self

    def begin(self, progress: Progress) -> None:
        """A run begins (see `swarmmind.runs.execute.Watch`)."""
        self._progress, self.folder, self._began = progress, progress.folder, time.monotonic()
        if self._display is Display.live:
            self._live = Live(
                get_renderable=self._picture, console=self._console, refresh_per_second=_LIVE_PER_SECOND, transient=True
            )
            self._live.start()
        elif self._display is Display.plain:
            self._thread = threading.Thread(target=self._print_lines, name="progress", daemon=True)
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._live is not None:
            self._live.stop()
        if self._thread is not None:
            self._thread.join()
        self._stack.close()

    def _print_lines(self) -> None:
        while not self._over.wait(_PLAIN_SECONDS):
            sys.stderr.write(self._line() + "\n")

    def _line(self) -> str:
        progress = self._progress
        assert progress is not None
        meter = progress.meter
        total, usage = meter.total(), meter.usage
        frame: Any = meter.latest.get("round")
        study: Any = meter.latest.get("study")
        wall = progress.episodes is not None  # an eval's clock may stand still: its worlds have times of their own
        parts = [duration(time.monotonic() - self._began if wall else progress.elapsed())]
        if isinstance(study, dict):
            told = progress_line(cast("dict[str, Any]", study))
            return " · ".join((*parts, told, f"{number(meter.in_flight)} in flight"))
        if progress.episodes is not None:
            parts.append("{:,} of {:,} episodes".format(*progress.episodes()))
        elif isinstance(frame, dict):
            parts.append(f"round {frame.get('round')}")
            parts.append(f"score {number(frame.get('score'))}")
        planned = "" if progress.plan.calls is None else f" of {number(progress.plan.calls)}"
        parts.append(f"{number(total.finished)}{planned} answers")
        parts.append(f"{self._speed.per_second(total.finished):,.0f}/s")
        parts.append(f"{number(meter.in_flight)} in flight")
        parts.append(f"tokens {number(usage.prompt_tokens)} in, {number(usage.completion_tokens)} out")
        parts.append(usd(usage.cost_usd) if usage.cost_usd is not None else "cost unknown")
        if total.failed:
            parts.append(f"{number(total.failed)} failed")
        if meter.replayed:
            parts.append(f"{number(meter.replayed)} from the journal")
        return " · ".join(parts)

    def _picture(self) -> Group:
        progress = self._progress
        assert progress is not None
        lines: list[Text] = []
        frame: Any = progress.meter.latest.get("round")
        of_many = "candidate" in progress.meter.latest or progress.episodes  # studies, evals: many worlds at once
        if isinstance(frame, dict) and frame.get("grid") and not of_many:
            rows = grid_text(frame).splitlines()
            if len(rows) <= min(_MAX_GRID_ROWS, self._console.height - 4):
                lines.extend(Text(visible(row)) for row in rows)
        lines.append(Text(self._line()))
        return Group(*lines)


class _Speed:
    """A rate over the last few looks."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, int]] = []

    def per_second(self, count: int) -> float:
        now = time.monotonic()
        self._looks = [*self._looks[-20:], (now, count)]
        then, before = self._looks[0]
        return (count - before) / (now - then) if now > then else 0.0
