"""Columns: two questions asked of one-dimensional arrays all the time, without the checks of numpy's own functions.

A two-second file's columns hold some hundred numbers, and on those ``numpy.flatnonzero`` and ``numpy.diff`` take three to five
times as long as the work in them: a tenth of reading such a file.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


def indices(flags: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Where *flags* is not zero."""
    return flags.nonzero()[0]


def deltas(column: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """From each number to the next, in the numbers' own type: one less than there are."""
    return column[1:] - column[:-1]  # type: ignore[operator]
