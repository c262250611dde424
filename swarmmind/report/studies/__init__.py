"""What a person reads after `swarmmind optimize`: `optimize-report.html`, from the journal's records and `result.json`.

The records are data here, whatever optimizer wrote them: `candidate`, `evaluation`, `best`, `refused`, `archive` and
`study` of the search's own program. What is not there is not shown; what cannot be read is counted.
"""

from swarmmind.report.studies.page import render_study

__all__ = ["render_study"]
