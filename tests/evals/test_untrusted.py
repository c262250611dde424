"""What a verifier that evaluates may see."""

from __future__ import annotations

import pytest

from swarmmind.evals.untrusted import harmless_formula, harmless_literal

CODE = [
    "__import__('os').system('true')",
    "(lambda: 1)()",
    "[x for x in (1, 2)]",
    "open('a')",
    "().__class__",
    "f'{1}'",
    "9**9**9",
    "'a' * 10**10",
    "[0] * 9",
    "(1).real",
    "[" * 3_000 + "]" * 3_000,
]


@pytest.mark.parametrize("text", CODE)
def test_code_is_neither_a_literal_nor_a_formula(text: str) -> None:
    assert not harmless_formula(text)
    assert not harmless_literal(text) or "[[[" in text  # which is too deep to be Python at all


@pytest.mark.parametrize("text", ["[[1, -2], ['a']]", "1 2 3", "words of prose", "", "  [1]", "{'a': (1,)}", "a b ("])
def test_lists_pass_and_so_does_what_is_no_python(text: str) -> None:
    assert harmless_literal(text)


@pytest.mark.parametrize("text", ["oracle_answer", "['a', entry]"])
def test_names_do_not_pass_as_lists_for_a_verifier_has_names_of_its_own(text: str) -> None:
    assert not harmless_literal(text)


FORMULAS = [
    "3*x**2 - (4 + y)/7",
    "2**(x + 1)",
    "x**(-1/2) + sqrt(x)",
    "exp(x)*cos(3*x) + C",
    "(x**2 + 1)**3",
    "(8 - 5) * 24 / 3",
    "-log(Abs(x))",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_pass(text: str) -> None:
    assert harmless_formula(text)


@pytest.mark.parametrize(
    "text",
    [
        "9**(9*9*9)",
        "(9**9)**9",
        "2**1000",
        "2**-1000",
        "2**(1000/3)",
        "factorial(99999)",
        "9!",
        "x.diff()",
        "sin(x, evaluate=False)",
        "_x",
        "__name__",
        "x if x else y",
        "1 + " * 200 + "1",
        "'a'",
        "𝘦𝘹𝘱(1)",
    ],
)
def test_what_grows_without_bounds_or_is_no_formula_does_not_pass(text: str) -> None:
    assert not harmless_formula(text)
