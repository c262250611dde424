from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from swarmmind.cli import main


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def swarmmind(work: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process and an empty folder."""

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        out, err = capsys.readouterr()
        return Said(int(caught.value.code or 0), out, err)

    return run
