"""The .flo files of the Middlebury flow benchmark, which MPI-Sintel has, too.

Little endian: float32 202021.25, int32 width and height, then x and y of each pixel as float32.
Baker, Scharstein, Lewis, Roth, Black, Szeliski: A Database and Evaluation Methodology for Optical
Flow. IJCV 92(1), 2011.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from superpix.data.sample import DataError

_MAGIC = 202021.25
_HEADER_BYTES = 12

# Displacements that are not known are written as 1e10.
_UNKNOWN = 1e9


def read_flo(path: Path) -> NDArray[np.float32]:
    """Read a flow field.

    Parameters
    ----------
    path : Path
        The .flo file.

    Returns
    -------
    flow : ndarray
        [H, W, 2] float32, x and y, as the file has them.

    Raises
    ------
    DataError
        If the file cannot be read, does not begin as it should, or has another length.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(data) < _HEADER_BYTES or np.frombuffer(data, "<f4", 1)[0] != _MAGIC:
        raise DataError(f"{path}: expected a .flo file, which begins with {_MAGIC} as float32")
    width, height = (int(size) for size in np.frombuffer(data, "<i4", 2, offset=4))
    if min(width, height) < 1 or len(data) != _HEADER_BYTES + 8 * width * height:
        raise DataError(
            f"{path}: expected {width} x {height} pixels of 8 bytes after {_HEADER_BYTES} bytes, "
            f"it has {len(data)} bytes"
        )
    flow = np.frombuffer(data, "<f4", offset=_HEADER_BYTES)
    return flow.reshape(height, width, 2).astype(np.float32)


def is_known(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell where a flow field [H, W, 2] has a displacement: [H, W] bool."""
    known: NDArray[np.bool_] = np.all(np.abs(flow) < _UNKNOWN, axis=2)
    return known
