"""What a person reads: a run's `report.html`, and its last lines on the terminal.

`render` turns a run's folder into one self-contained page, `render_study` a study's, `render_eval` an eval's; `lines`,
`eval_lines`, `context` and `grid_text` are plain text; `export` writes an eval in the formats of `EXPORTS`.
"""

from __future__ import annotations

from swarmmind.report.build import context, render
from swarmmind.report.evals import EXPORTS, export, format_of, render_eval
from swarmmind.report.evals import lines as eval_lines
from swarmmind.report.studies import render_study
from swarmmind.report.text import grid_text, lines

__all__ = [
    "EXPORTS",
    "context",
    "eval_lines",
    "export",
    "format_of",
    "grid_text",
    "lines",
    "render",
    "render_eval",
    "render_study",
]
