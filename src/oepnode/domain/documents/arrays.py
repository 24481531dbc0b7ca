"""Names for the NumPy array types that the domain uses; shapes are in the docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Int16s = npt.NDArray[np.int16]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Texts = npt.NDArray[np.bytes_]
Indices = npt.NDArray[np.intp]
Ints = npt.NDArray[Any]
"""Integers of any width, as an argument; results have a fixed width."""
