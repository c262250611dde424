from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from swarmmind.errors import SpecError
from swarmmind.runs.parameters import build, checked


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sides: Annotated[int, Field(ge=3)] = 3
    names: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _in_a_folder(cls, data: Any, info: ValidationInfo) -> Any:
        if data == "folder":
            raise SpecError("is what it found", file=str((info.context or {})["folder"]), line=3, column=4)
        return data


def make(
    shape: Shape | None = None, count: Annotated[int, Field(ge=1)] = 1, weights: Mapping[str, float] | None = None
) -> Any:
    return shape, count, weights


def given(**values: Any) -> dict[str, Any]:
    return checked(make, values, 0, complain, Path("the-folder"))


def complain(name: str, message: str) -> SpecError:
    return SpecError(f"<{name}> {message}")


def test_what_fits_is_as_the_types_say() -> None:
    assert given(shape={"sides": 4}, count=2, weights={"a": 1}) == {
        "shape": Shape(sides=4),
        "count": 2,
        "weights": {"a": 1.0},
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "<count> must be greater than or equal to 1, got 0"),
        ({"count": "1"}, "<count> must be a valid integer, got '1'"),
        ({"cuont": 1}, "<cuont> unknown parameter; did you mean 'count'?"),
        ({"shape": {"sides": 2}}, "<shape> sides: must be greater than or equal to 3, got 2"),
        ({"shape": {"names": ["a", 7]}}, "<shape> names.1: must be a valid string, got 7"),
        ({"weights": {"a": "much"}}, "<weights> a: must be a valid number, got 'much'"),
        ({"count": "sk-abcdefghijklmnopqrstuvwxyz0123456789ABCD"}, "<count> must be a valid integer, got '[hidden]'"),
        ({"count": "x" * 500}, f"<count> must be a valid integer, got '{'x' * 39}... (502 characters)"),
    ],
)
def test_what_does_not_fit_is_told_with_what_was_found_and_where_in_the_value(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        given(**values)
    assert str(caught.value) == message


def test_a_type_that_reads_files_is_told_the_folder_and_its_complaints_keep_their_place() -> None:
    with pytest.raises(SpecError, match=r"^the-folder:3:4: is what it found$"):
        given(shape="folder")


def test_a_parameter_without_default_must_be_given() -> None:
    def needy(first: int, second: int) -> int:
        return first + second

    with pytest.raises(SpecError, match="<second> is missing"):
        checked(needy, {}, 1, complain)
    assert build(partial(needy, 1), {"second": 2}, complain) == 3
