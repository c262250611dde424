"""SwarmMind: run, measure and evolve populations of LLM agents from one file.

import swarmmind

result = await swarmmind.run("task.yaml", inputs={"question": "..."})
print(result.output, result.score, result.usage, result.coverage, result.folder)
"""

from swarmmind.runs.api import evaluate, optimize, resume, run, run_sync
from swarmmind.runs.result import Result
from swarmmind.version import __version__

__all__ = ["Result", "__version__", "evaluate", "optimize", "resume", "run", "run_sync"]
