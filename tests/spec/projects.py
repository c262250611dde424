"""A user's project with traps in it, and a small library that does not change when the shipped one grows."""

from __future__ import annotations

from pathlib import Path

CARD = """---
name: {name}
description: A {name}.
---
You are a {name}.
"""


def make_box(box: Path) -> Path:
    for name in ("worker", "solver", "critic"):
        write(box / "agents" / f"{name}.md", CARD.format(name=name))
    for name, defaults in (("solo", ""), ("vote", "samples: 5\n"), ("debate", "rounds: 3\n")):
        write(box / "topologies" / f"{name}.yaml", f"description: A {name}.\nuse: {name}\n{defaults}")
    for name, defaults in (("none", ""), ("window", "messages: 20\n")):
        write(box / "memory" / f"{name}.yaml", f"description: A {name}.\nuse: {name}\n{defaults}")
    return box


def make_project(folder: Path) -> Path:
    """A folder with code that leaves a trace when it runs, a link that leads out, and parts of its own."""
    write(folder / "evil.py", f"open({str(folder / 'evil-ran')!r}, 'w').close()\n")
    write(folder / "topologies" / "mine.yaml", "description: Mine.\nuse: ./evil.py:Topology\n")
    write(folder.parent / "outside.jsonl", "{}\n")
    (folder / "link.jsonl").symlink_to(folder.parent / "outside.jsonl")
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
