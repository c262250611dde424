"""Scenes drawn with letters: lower case agents, upper case other objects, `.` empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarmmind.evals.swarmbench.physics import DIRECTIONS, IDLE, WALL, Scene


class Letters:
    """A drawn scene; agents become single bodies, movable objects larger ones, static objects wall."""

    def __init__(self, rows: Sequence[str], weights: Mapping[str, int], static: Sequence[str]) -> None:
        where: dict[str, list[tuple[int, int]]] = {}
        for i, row in enumerate(rows):
            for j, letter in enumerate(row):
                if letter != ".":
                    where.setdefault(letter, []).append((i, j))
        agents = sorted(letter for letter in where if letter.islower())
        others = sorted(letter for letter in where if letter not in agents and letter not in static)
        self.static = {letter: where[letter] for letter in static}
        self.bodies = {letter: number for number, letter in enumerate([*agents, *others], start=1)}
        self.letters = {number: letter for letter, number in self.bodies.items()}
        self.scene = scene = Scene(len(rows), len(rows[0]), margin=12, singles=len(agents))
        for cells in self.static.values():
            for i, j in cells:
                scene.put(WALL, scene.index(i, j))
        for letter in agents:
            scene.put(self.bodies[letter], scene.index(*where[letter][0]))
        for letter in others:
            scene.put_shape(self.bodies[letter], (scene.index(i, j) for i, j in where[letter]), weights[letter])

    def play(self, acts: Mapping[str, str]) -> dict[str, list[str]]:
        """One round; per direction the letters that moved."""
        choices = [IDLE] * (self.scene.singles + 1)
        for letter, act in acts.items():
            choices[self.bodies[letter]] = DIRECTIONS.index(act) if act in DIRECTIONS else IDLE
        moved = self.scene.play(choices)
        return {d: sorted(self.letters[body] for body in bodies) for d, bodies in zip(DIRECTIONS, moved, strict=True)}

    def rows(self) -> list[str]:
        """The drawing now; off the map is not drawn."""
        scene = self.scene
        walls = {scene.index(i, j): letter for letter, cells in self.static.items() for i, j in cells}
        return [
            "".join(
                walls.get(scene.index(i, j)) or self.letters.get(scene.cells[scene.index(i, j)], ".")
                for j in range(scene.width)
            )
            for i in range(scene.height)
        ]

    def corners(self) -> dict[str, list[int]]:
        """Top and left of every body, on the map or off it."""
        scene = self.scene
        found: dict[str, list[int]] = {}
        for letter, body in self.bodies.items():
            cells = [scene.at[body]] if body <= scene.singles else scene.shapes[body]
            places = [scene.place(cell) for cell in cells]
            found[letter] = [min(i for i, _ in places), min(j for _, j in places)]
        return found
