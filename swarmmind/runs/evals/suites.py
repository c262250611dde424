"""Finding the suite that a user means: a file, or a name of the box, with what of it is wanted behind a slash."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from swarmmind.evals import datasets
from swarmmind.spec import LoadedTask, load_task
from swarmmind.spec.evaluate import flat
from swarmmind.spec.library import find, names


def load_suite(
    suite: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    allow_code: bool = False,
) -> LoadedTask:
    """Load the task of a suite.

    `swarmbench` is `evals/swarmbench.yaml` of the working directory or of the box. `swarmbench/foraging` is of that
    the cases that are called so on any axis, unless there is a suite `swarmbench-foraging`; where `a/b` is a data set
    of the box it is the suite `a` on that.

    Args:
        suite: a task file, or a name.
        overrides: as the command line's `--set`.
        env: where `${NAME}` comes from; `None` is the environment of the process.
        allow_code: whether the task may name Python code.

    Raises:
        SpecError: there is none, or it does not load.
    """
    text = os.fspath(suite)
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load_task(path, overrides=overrides, env=env, allow_code=allow_code)
    head, _, rest = text.partition("/")
    own = text.replace("/", "-")
    if own in names("evals", Path.cwd()):
        return load_task(find("evals", own, Path.cwd()), overrides=overrides, env=env, allow_code=allow_code)
    file = find("evals", head, Path.cwd())
    if not rest:
        return load_task(file, overrides=overrides, env=env, allow_code=allow_code)
    if datasets.known(text):
        overrides = [f"problem.dataset={json.dumps(text)}", *overrides]
        return load_task(file, overrides=overrides, env=env, allow_code=allow_code)
    loaded = load_task(file, overrides=overrides, env=env, allow_code=allow_code)
    axes = {**flat(loaded.task.evaluate.cases), **flat(loaded.task.grid)}
    for axis, values in axes.items():
        for known in (text, rest):
            if known in values:
                chosen = f"eval.only.{json.dumps(axis)}={json.dumps([known])}"
                return load_task(file, overrides=[*overrides, chosen], env=env, allow_code=allow_code)
    known = sorted(value for values in axes.values() for value in values if isinstance(value, str))
    raise loaded.error((), f"has nothing called {rest!r}; there are: {', '.join(known) or 'no cases'}")
