"""SLIC superpixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core, _device
from superpix._device_array import DeviceArray


@_device.any_arrays
def slic(
    image: NDArray[Any],
    n_segments: int = 100,
    compactness: float = 10.0,
    max_num_iter: int = 10,
    sigma: float | Sequence[float] = 0,
    spacing: Sequence[float] | None = None,
    convert2lab: bool | None = None,
    enforce_connectivity: bool = True,
    min_size_factor: float = 0.5,
    max_size_factor: float = 3,
    slic_zero: bool = False,
    start_label: int = 1,
    mask: NDArray[Any] | None = None,
    *,
    channel_axis: int | None = -1,
    value_range: tuple[float, float] | None = None,
    perturb_seeds: bool = False,
    refine_iter: int = 1,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[np.int32]:
    """Segment an image into superpixels, or a volume into supervoxels, by SLIC.

    A drop-in for ``skimage.segmentation.slic``: parameters have the same meaning and defaults.
    docs/migrating.md tells what differs.

    Parameters
    ----------
    image : ndarray, 2-D or 3-D, with or without channels
        Any of bool, integers, float16, float32, float64; any strides. Finite inside the mask.
    n_segments : int, optional
        How many superpixels are wanted. They start from a grid with as near that many cells as
        nearly square cells allow; ``labels.max()`` tells how many there are. From the number of
        pixels on, every pixel is a superpixel.
    compactness : float, optional
        Balances space against colour: the colour difference that counts as much as one grid step.
        Between 1 and 40 for images in CIELAB; about a hundredth of that for grey values, which are
        scaled to [0, 1].
    max_num_iter : int, optional
        Rounds of assignment and update. 0 gives the grid.
    sigma : float or sequence of float, optional
        Standard deviation of a Gaussian blur beforehand, in pixels for each spatial axis; a single
        number is divided by ``spacing``.
    spacing : sequence of float, optional
        Size of a voxel along each spatial axis; by default all 1. Distances are weighted by it,
        and the cells of the grid are cubes in these units.
    convert2lab : bool, optional
        Convert RGB to CIELAB first. By default this is done when there are 3 channels. In CIELAB,
        squared differences of a* and b* count three times those of L*, which follows the edges
        that people draw better (docs/accuracy.md).
    enforce_connectivity : bool, optional
        Make each label one connected component (see `superpix.enforce_connectivity`).
    min_size_factor, max_size_factor : float, optional
        The least and greatest size of a component, in units of the mean size of a superpixel.
    slic_zero : bool, optional
        SLICO: adapt the compactness of each superpixel by the largest colour difference in it.
    start_label : int, optional
        The first label, 0 or 1.
    mask : ndarray of bool, optional
        Where to segment (maskSLIC). The spatial shape of ``image``. Seeds are spread over it.
    channel_axis : int or None, optional
        The axis of the channels; None for a grey image.
    value_range : (float, float), optional
        The values that count as 0 and 1 (RGB is clipped to them). By default the least and
        greatest value inside the mask, so that scale and offset do not matter. With an explicit
        range, the labels in one place do not depend on extremes in another.
    perturb_seeds : bool, optional
        Start from the lowest gradient in the 3 x 3 pixels around each cell's centre, as the
        original SLIC may.
    refine_iter : int, optional
        Rounds in which connected superpixels trade pixels along their borders, after a majority
        filter before connectivity (2-D, not with ``slic_zero``). 0 leaves the borders of the
        clustering.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back. uint8 RGB that is converted
        to CIELAB gets the labels of the CPU, bit for bit (2-D, no ``mask``, ``sigma``,
        ``slic_zero``); all else nearly those, and always the same. The grid of the seeds of a
        ``mask`` is found on the CPU, to where a mask on the device is copied for this.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. The labels do not depend on it.

    Returns
    -------
    ndarray of int32
        The spatial shape of ``image``. With ``enforce_connectivity``, labels have no gaps. Pixels
        outside the mask have ``start_label - 1``.

    Raises
    ------
    TypeError
        An argument is of the wrong type; ``image`` is not an array.
    ValueError
        An argument is out of range, or NaN or infinity stand inside the mask.
    RuntimeError
        ``device="cuda"``, and there is no CUDA kernel or device.

    Warns
    -----
    FutureWarning
        ``spacing`` or ``sigma`` has three entries for a 2-D image; they are taken as z, y, x.

    References
    ----------
    .. [1] Achanta, Shaji, Smith, Lucchi, Fua, Süsstrunk, "SLIC superpixels compared to
       state-of-the-art superpixel methods", TPAMI 34(11), 2012.
    .. [2] Irving, "maskSLIC: regional superpixel generation with application to local pathology
       characterisation in medical images", arXiv:1606.09518, 2016.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    >>> labels = superpix.slic(image, n_segments=12)
    >>> labels.shape, labels.min()
    ((48, 64), np.int32(1))
    """
    pixels, dims = _with_channels_last(image, channel_axis)
    where = _device.where(device, num_threads)
    channels = pixels.shape[-1]
    if convert2lab is not None:
        convert2lab = _arguments.flag(convert2lab, "convert2lab")
    if channel_axis is None:
        convert2lab = False
    elif convert2lab is None:
        convert2lab = channels == 3
    elif convert2lab and channels != 3:
        raise ValueError(
            f"convert2lab: Lab colorspace conversion requires a RGB image, got {channels} channels"
        )
    spacing_zyx = _spacing(spacing, dims)
    inside = None if mask is None else _mask(mask, pixels.shape[:-1])
    on_host = None if inside is None else _device.on_host(inside)
    _check_finite(pixels, on_host, where)
    num_segments = _clipped(_arguments.integer(n_segments, "n_segments"))
    if num_segments < 1:
        raise ValueError(f"n_segments must be at least 1, got {n_segments}")
    seed_grid = None
    if on_host is not None and isinstance(where, _device.Cuda):
        seed_grid = _core.choose_seed_grid(on_host, num_segments, spacing_zyx)
    labels = _device.empty(pixels.shape[:-1], np.int32, pixels)
    _device.run(
        _core.slic,
        where,
        (pixels, inside),
        (labels,),
        num_segments=num_segments,
        compactness=_arguments.number(compactness, "compactness"),
        max_num_iter=_arguments.bounded(max_num_iter, "max_num_iter"),
        sigma=_sigma(sigma, dims, spacing_zyx),
        spacing=spacing_zyx,
        convert_to_lab=convert2lab,
        value_range=_value_range(value_range),
        slic_zero=_arguments.flag(slic_zero, "slic_zero"),
        perturb_seeds=_arguments.flag(perturb_seeds, "perturb_seeds"),
        enforce_connectivity=_arguments.flag(enforce_connectivity, "enforce_connectivity"),
        min_size_factor=_arguments.number(min_size_factor, "min_size_factor"),
        max_size_factor=_arguments.number(max_size_factor, "max_size_factor"),
        refine_iter=_arguments.bounded(refine_iter, "refine_iter"),
        start_label=_arguments.bounded(start_label, "start_label"),
        seed_grid=seed_grid,
    )
    return labels


def _with_channels_last(image: object, channel_axis: int | None) -> tuple[NDArray[Any], int]:
    """Return a view [H, W, C] or [D, H, W, C], and the number of spatial dimensions."""
    if isinstance(image, np.ma.MaskedArray):
        raise TypeError(
            "image must not be a masked array: give image.data, and as mask where to segment"
        )
    pixels = _arguments.real_array(image, "image")
    if pixels.ndim == 2 and channel_axis is not None:
        raise ValueError(
            f"channel_axis={channel_axis} indicates multichannel, which is not supported for a "
            "two-dimensional image; use channel_axis=None if the image is grayscale"
        )
    dims = pixels.ndim - (0 if channel_axis is None else 1)
    if dims not in (2, 3):
        raise ValueError(
            "image must have 2 or 3 spatial dimensions, "
            f"got shape {pixels.shape} with channel_axis={channel_axis}"
        )
    if channel_axis is None:
        pixels = pixels[..., np.newaxis]
    else:
        pixels = _arguments.moveaxis(
            pixels, _arguments.axis(channel_axis, pixels.ndim, "channel_axis"), -1
        )
    if pixels.size == 0:
        raise ValueError(f"image must not be empty, got shape {pixels.shape[:-1]}")
    return pixels, dims


def _check_finite(
    pixels: NDArray[Any], inside: NDArray[np.bool_] | None, where: _device.Where
) -> None:
    """Raise for NaN and infinity, which CUDA cannot report without waiting."""
    if not isinstance(where, _device.Cuda) or isinstance(pixels, DeviceArray):
        return
    if pixels.dtype.kind != "f":
        return
    finite = np.isfinite(pixels).all(axis=-1)
    if not (finite if inside is None else finite | ~inside).all():
        raise ValueError("unmasked infinite values in image are not supported")


def _mask(mask: object, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    inside = _arguments.real_array(mask, "mask")
    if inside.shape != shape:
        raise ValueError(
            f"image and mask should have the same shape, got {shape} and {inside.shape}"
        )
    if isinstance(inside, DeviceArray):
        if inside.dtype != np.bool_:
            raise TypeError(f"mask must be bool on CUDA, got {inside.dtype}")
        return inside
    inside = inside if inside.dtype == np.bool_ else inside.astype(bool)
    if not inside.any():
        raise ValueError("mask must be true somewhere, but it is false everywhere")
    return inside


def _spacing(spacing: object, dims: int) -> tuple[float, float, float]:
    if spacing is None:
        return (1.0, 1.0, 1.0)
    if not isinstance(spacing, Iterable):
        raise TypeError("spacing must be None or iterable.")
    return _per_axis(spacing, dims, "spacing", missing=1.0)


def _sigma(
    sigma: object, dims: int, spacing: tuple[float, float, float]
) -> tuple[float, float, float]:
    if isinstance(sigma, Iterable) and not isinstance(sigma, str):
        return _per_axis(sigma, dims, "sigma", missing=0.0)
    s = _arguments.number(sigma, "sigma")
    z, y, x = (s / step if step > 0 else s for step in spacing)
    return (z if dims == 3 else 0.0, y, x)


def _per_axis(
    values: Iterable[Any], dims: int, name: str, *, missing: float
) -> tuple[float, float, float]:
    """Return values for z, y, x; ``missing`` stands for the z of a 2-D image."""
    entries = [_arguments.number(v, name) for v in values]
    if dims == 2 and len(entries) == 2:
        return (missing, entries[0], entries[1])
    if len(entries) != 3:
        raise ValueError(
            f"Input image is {dims}D, but {name} has {len(entries)} elements (expected {dims})."
        )
    if dims == 2:
        warnings.warn(
            f"Input image is 2D: {name} number of elements must be 2. "
            "In the future, a ValueError will be raised.",
            FutureWarning,
            stacklevel=5,
        )
    return (entries[0], entries[1], entries[2])


def _value_range(value_range: object) -> tuple[float, float] | None:
    if value_range is None:
        return None
    ends = list(value_range) if isinstance(value_range, Iterable) else []
    if len(ends) != 2:
        raise ValueError(f"value_range must be a pair (low, high), got {value_range!r}")
    low, high = (_arguments.number(end, "value_range") for end in ends)
    return (low, high)


def _clipped(n: int) -> int:
    """Return ``n`` within 64 bits: more superpixels than pixels are all the same."""
    return min(max(n, -1), 2**62)
