"""What is known of published results on AgentsNet (arXiv 2507.08616), for tables to stand beside.

Solved fractions over the 27 graphs of 4, 8 and 16 agents. The paper's full table was not at hand: these are single
numbers from the authors' site and from a note of somebody else, reached with the original's prompts, not with ours.
"""

from __future__ import annotations

from swarmmind.evals.table import PublishedRow

_SITE = "the authors' site agentsnet.graphben.ch"
_NOTE = "a third-party note, unverified"

PUBLISHED_ROWS: list[PublishedRow] = [
    PublishedRow("Gemini 2.5 Pro", {}, 0.80, _SITE),
    PublishedRow(
        "Claude 3.7 Sonnet",
        {"agentsnet/consensus": (1.00, None), "agentsnet/vertex_cover": (0.40, None)},
        0.70,
        f"{_SITE}; single problems: {_NOTE}",
    ),
    PublishedRow("GPT-4.1 mini", {}, 0.45, _NOTE),
    PublishedRow("Claude 3.5 Haiku", {}, 0.26, _NOTE),
]
