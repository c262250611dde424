"""What a person, or another program, reads after `swarmmind eval`.

`lines` is the table on the terminal, `render_eval` makes `eval.html`, and `export` writes the formats of `EXPORTS`.
"""

from swarmmind.report.evals.exports import EXPORTS, export, format_of
from swarmmind.report.evals.page import render_eval
from swarmmind.report.evals.terminal import lines

__all__ = ["EXPORTS", "export", "format_of", "lines", "render_eval"]
