"""Vectors on their way into an `Embedding`: unit length, float32, little endian."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmmind.effects import Usage
from swarmmind.traces import Embedding


def packed(rows: NDArray[Any], usage: Usage = Usage()) -> Embedding:  # noqa: B008  (a frozen value)
    """Rows of shape (texts, dimensions), of any length other than 0, as an `Embedding`.

    Raises:
        ValueError: a row has no direction: it holds a NaN or an infinity, or is all zeros.
    """
    wide = np.asarray(rows, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    wrong = np.flatnonzero(~((lengths > 0) & (lengths < np.inf)))
    if wrong.size:
        raise ValueError(f"vector {int(wrong[0])} has no direction: its length is {lengths[wrong[0]]:g}")
    return Embedding(wide.shape[1], (wide / lengths[:, None]).astype("<f4").tobytes(), usage=usage)
