"""Runs code that a model wrote against tests, where neither can touch anything.

    Ran = yield [RunTests(code, tests)]          # tests.py: the effect; handler.py: who executes it

Each run is a process tree of its own that ends with it:

    handler (the run's process)                  no code is run here; 10 lines of JSON come back
    └── jail      namespaces, file tree, user    `jail.py`, `walls.py`, `tree.py`
        ├── solution  the code, and nothing of the tests    `solution.py`
        └── examiner  the tests; it alone says what came of them    `examiner.py`

Solution and examiner talk in plain values over two pipes (`wire.py`). What a test compares is data in the examiner's
process, so no trick inside the other (patched builtins, frames, exits, objects that equal everything) can make a test
pass, and its expected values are not there to be read. What an object of the code's own class says of itself (its
truth, its length, what is `in` it, whether it equals another of its kind) is what the code says, as any result is.

Walls, all of them unless a task says `sandbox: weak`: `seccomp.py` allows the system calls that Python needs and ends
whoever tries to start a process, reach the network or signal others; namespaces with a read-only tree that holds the
interpreter alone, or else Landlock, hide all files; a user of its own; limits on time, memory, threads and files.
"""

from __future__ import annotations
