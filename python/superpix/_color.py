"""Colour conversion."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core, _device
from superpix._device_array import DeviceArray


@_device.any_arrays
def rgb_to_lab(
    image: NDArray[Any],
    *,
    channel_axis: int = -1,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """Convert sRGB to CIE 1976 L*a*b* (illuminant D65, 2 degree observer).

    Parameters
    ----------
    image : ndarray, 3 along ``channel_axis``
        uint8 counts in 1/255 and uint16 in 1/65535; float16, float32 and float64 are taken as they
        are, nominally in [0, 1].
    channel_axis : int, optional
        The axis of R, G, B.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. The result does not depend on it.

    Returns
    -------
    ndarray of float32
        The shape of ``image``: L* in [0, 100], a* and b* roughly in [-108, 99]. Agrees with
        ``skimage.color.rgb2lab`` to 1e-3.

    Raises
    ------
    TypeError
        ``image`` is not an array, or of another dtype.
    ValueError
        ``image`` has not 3 entries along ``channel_axis``.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> superpix.rgb_to_lab(np.array([[255, 255, 255]], np.uint8)).round(1)[:, 0]
    array([100.], dtype=float32)
    """
    rgb = _arguments.real_array(image, "image")
    if rgb.ndim == 0:
        raise ValueError("image must have a channel axis, got a 0-D array")
    axis = _arguments.axis(channel_axis, rgb.ndim, "channel_axis")
    if rgb.shape[axis] != 3:
        raise ValueError(
            f"image must have 3 channels along channel_axis={channel_axis}, got {rgb.shape[axis]}"
        )
    last = _arguments.moveaxis(rgb, axis, -1)
    # The core takes up to 4 dimensions; of more, all but the channels may as well be one.
    flat = last if last.ndim <= 4 or isinstance(last, DeviceArray) else last.reshape(-1, 3)
    lab = _device.empty(flat.shape, np.float32, flat)
    _device.run(_core.rgb_to_lab, _device.where(device, num_threads), (flat,), (lab,))
    if isinstance(lab, DeviceArray):
        return cast(NDArray[np.float32], lab.moveaxis(-1, axis))
    return np.ascontiguousarray(np.moveaxis(lab.reshape(last.shape), -1, axis))
