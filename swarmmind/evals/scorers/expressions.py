r"""From a formula to a tree: numbers, letters, + - * / ^ !, brackets, `\frac`, `\sqrt`, and functions by name.

A tree is a tuple of an operation and its operands, `("number", "1.5")` or `("letter", "x_1")`.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from swarmmind.evals.scorers.arithmetic import FUNCTIONS, Unreadable

Tree: TypeAlias = tuple[Any, ...]

_MAX_DEPTH = 40
_MAX_PRODUCT = 4  # letters in a row that are factors
_VOWELS = frozenset("aeiouy")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE](?:[0-9]{1,3}|[-+][0-9]{2,3})(?![0-9.]))?)|"
    r"\\(?P<command>[a-zA-Z]+)|(?P<word>[a-zA-Z]+)|"
    r"(?P<sign>\*\*|\\[{}|]|[-+*/^!(){}\[\]|_]))"
)
_CONSTANTS = {"pi": "pi", "e": "e", "i": "i", "infty": "infinity"}
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
    ]
)
_KNOWN = {*FUNCTIONS, *_CONSTANTS, "sqrt"}
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "|": "|", "\\|": "\\|"}


def parsed(text: str) -> Tree:
    """The tree of a formula.

    Raises:
        Unreadable: it is none.
    """
    reader = _Reader(_tokens(text))
    tree = reader.sum()
    if reader.peek() != ("", ""):
        raise Unreadable
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise Unreadable
        kind, word = found.lastgroup, found[found.lastgroup]
        attached = bool(tokens) and found.start(kind) == at
        several = kind == "word" and word not in _KNOWN and len(word) <= _MAX_PRODUCT
        if several and (attached or not _VOWELS & set(word.lower())):
            tokens += [("word", letter) for letter in word]
        else:
            tokens.append((kind, word))
        at = found.end()
    return tokens


class _Reader:
    """Descends through a formula; deeper than `_MAX_DEPTH` it gives up."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0
        self._bars = 0

    def peek(self) -> tuple[str, str]:
        """The kind and text of the next token; empty at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        token = self.peek()
        self._at += 1
        return token

    def _took(self, *signs: str) -> str:
        kind, text = self.peek()
        if kind != "sign" or text not in signs:
            return ""
        self._at += 1
        return text

    def sum(self) -> Tree:
        """Terms with plus or minus between them."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Unreadable
        tree = self._product()
        while sign := self._took("+", "-"):
            tree = (sign, tree, self._product())
        self._depth -= 1
        return tree

    def _product(self) -> Tree:
        tree = self._signed()
        while True:
            if sign := self._took("*", "/"):
                tree = (sign, tree, self._signed())
            elif tree[0] == "number" and self.peek()[0] == "number":
                raise Unreadable  # nobody writes a product so
            elif self._starts():
                factor = self._power()
                mixed = tree[0] == "number" and factor[:1] == ("/",) and _integers(tree, *factor[1:3])
                tree = ("+" if mixed else "*", tree, factor)  # 2\frac{1}{2} is two and a half
            else:
                return tree

    def _starts(self) -> bool:
        """Whether a factor begins here, so that one has to be multiplied."""
        kind, text = self.peek()
        return kind in ("number", "command", "word") or (
            kind == "sign" and (text in ("(", "[", "{", "\\{") or (text in ("|", "\\|") and not self._bars))
        )

    def _signed(self) -> Tree:
        signs = 0
        while sign := self._took("+", "-"):
            signs += sign == "-"
        tree = self._power()
        return ("negative", tree) if signs % 2 else tree

    def _power(self) -> Tree:
        tree = self._primary()
        while self._took("!"):
            tree = ("factorial", tree)
        if self._took("^", "**"):
            tree = ("^", tree, self._exponent())
        return tree

    def _exponent(self) -> Tree:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Unreadable
        tree = self._signed()
        self._depth -= 1
        return tree

    def _primary(self) -> Tree:
        kind, text = self._next()
        if kind == "number":
            return ("number", text)
        if kind == "command":
            return self._command(text)
        if kind == "word":
            return self._named(text)
        if kind == "sign" and text in _CLOSING:
            return self._bracketed(text)
        raise Unreadable

    def _bracketed(self, opening: str) -> Tree:
        bar = opening in ("|", "\\|")
        self._bars += bar
        tree = self.sum()
        if not self._took(_CLOSING[opening]):
            raise Unreadable
        self._bars -= bar
        return ("function", "abs", tree) if bar else tree

    def _group(self) -> Tree:
        if not self._took("{"):
            raise Unreadable
        return self._bracketed("{")

    def _part(self) -> Tree:
        """An argument of `frac`: a group, or a single sign as TeX takes it."""
        kind, text = self.peek()
        return self._primary() if kind in ("number", "word") and len(text) == 1 else self._group()

    def _command(self, name: str) -> Tree:
        if name == "frac":
            return ("/", self._part(), self._part())
        if name == "sqrt":
            degree = ("number", "2")
            if self._took("["):
                degree = self._bracketed("[")
            return ("root", self._group() if self.peek() == ("sign", "{") else self._primary(), degree)
        if name in _GREEK:
            return self._letter(name)
        return self._named(name)

    def _named(self, name: str) -> Tree:
        if name in _CONSTANTS:
            return ("constant", _CONSTANTS[name])
        if name == "sqrt":
            return ("root", self._primary(), ("number", "2"))
        if name in FUNCTIONS:
            return self._function(name)
        if len(name) == 1:
            return self._letter(name)
        raise Unreadable

    def _letter(self, name: str) -> Tree:
        if self._took("_"):
            kind, text = self._next()
            if (kind, text) == ("sign", "{"):
                kind, text = self._next()
                if not self._took("}"):
                    raise Unreadable
            if kind not in ("number", "word"):
                raise Unreadable
            name = f"{name}_{text}"
        return ("letter", name)

    def _function(self, name: str) -> Tree:
        if name == "log" and self._took("_"):
            base = self._group() if self.peek() == ("sign", "{") else self._primary()
            return ("/", ("function", "ln", self._power()), ("function", "ln", base))
        if self._took("^", "**"):  # \sin^2 x
            exponent = self._group() if self.peek() == ("sign", "{") else self._primary()
            return ("^", ("function", name, self._argument()), exponent)
        return ("function", name, self._argument())

    def _argument(self) -> Tree:
        r"""What a function is of: `\sin 2x` is of 2x, `\sin(x) y` of x."""
        bracketed = self.peek() in (("sign", "("), ("sign", "{"))
        tree = self._power()
        while not bracketed and self.peek()[0] in ("number", "word", "command") and self.peek()[1] not in FUNCTIONS:
            tree = ("*", tree, self._power())
        return tree


def _integers(*trees: Tree) -> bool:
    return all(tree[0] == "number" and "." not in tree[1] for tree in trees)
