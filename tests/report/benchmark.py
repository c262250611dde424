"""How long a page takes, how large it is, and how much memory it needs: `python -m tests.report.benchmark 1000 100`.

Prints one line of JSON: agents, rounds, exchanges, bytes of the journal and of the page, seconds, peak memory in MiB.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from swarmmind.report import render

from . import runs


def main(agents: int, rounds: int) -> None:
    """Make a world's journal in another process, then its page in this one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        maker = get_context("spawn").Process(target=runs.world, args=(folder, agents, rounds, 82, 1, 220))
        maker.start()
        maker.join()
        began, began_cpu = time.perf_counter(), time.process_time()
        page = render(folder)
        measured = {
            "agents": agents,
            "rounds": rounds,
            "exchanges": agents * rounds,
            "journal_bytes": (folder / "journal.sqlite").stat().st_size,
            "page_bytes": page.stat().st_size,
            "seconds": round(time.perf_counter() - began, 2),
            "cpu_seconds": round(time.process_time() - began_cpu, 2),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }
        sys.stdout.write(json.dumps(measured) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
