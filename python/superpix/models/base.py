"""What learned superpixel models have in common: pictures in, labels out; files of weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from typing_extensions import Self

from superpix import _arguments, enforce_connectivity, rgb_to_lab

WEIGHTS = Path(__file__).parent / "weights"

# Of the refinement of borders, as `superpix.slic` has it.
POSITION_WEIGHT = 25.0


class Prediction(NamedTuple):
    """What a model makes of a picture.

    Attributes
    ----------
    labels : Tensor of integers, [1, H, W]
        From 0 on; they need not be connected.
    colors : Tensor of float32, [1, C, H, W], optional
        What pieces and borders are told apart by, in units of CIELAB; None for CIELAB itself.
    """

    labels: Tensor
    colors: Tensor | None = None


class SuperpixelModel(nn.Module):
    """A network that divides pictures into superpixels.

    Parameters
    ----------
    **options
        The arguments of the model, which its file of weights repeats.
    """

    # The least and greatest component, in units of the mean size of a superpixel. The published
    # 0.06 leaves pieces that make half as many superpixels again as were asked for.
    min_size_factor = 0.4
    max_size_factor = 3.0

    # Rounds in which borders are refined.
    refine_iter = 5

    # How many times as many superpixels as are wanted there are at first: then those that are most
    # alike are joined (docs/models.md). 1 joins none, and leaves their number to the model.
    oversegmentation = 2.0

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def predict(self, image: Tensor, n_segments: int) -> Prediction:
        """Divide a picture, leaving connectivity to `segment`.

        Parameters
        ----------
        image : Tensor, [1, 3, H, W]
            sRGB from 0 to 1, on the model's device.
        n_segments : int
            About how many.
        """
        raise NotImplementedError

    @torch.inference_mode()
    def segment(
        self,
        image: NDArray[np.uint8],
        n_segments: int = 100,
        *,
        enforce_connectivity: bool = True,
        start_label: int = 1,
    ) -> NDArray[np.int32]:
        """Divide a picture into superpixels.

        Parameters
        ----------
        image : ndarray of uint8, [H, W, 3]
            sRGB, of any size.
        n_segments : int, optional
            How many superpixels; there are fewer where the model does not find as many.
        enforce_connectivity : bool, optional
            Make each label one connected component: of twice as many as are wanted, from 0.4 times
            to three times as large as they are in the mean, those that are most alike are joined,
            and borders refined once more (`superpix.enforce_connectivity`). Otherwise there are the
            labels of the model as they are, about ``n_segments``.
        start_label : int, optional
            The first label, 0 or 1.

        Returns
        -------
        ndarray of int32, [H, W]

        Raises
        ------
        TypeError
            ``image`` is not an array of uint8, or ``n_segments`` no integer.
        ValueError
            It has another shape, or a number is out of range.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise TypeError("image must be a NumPy array of uint8")
        if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"image must be [H, W, 3] and not empty, got shape {image.shape}")
        wanted = _arguments.integer(n_segments, "n_segments")
        if wanted < 1:
            raise ValueError(f"n_segments must be at least 1, got {n_segments}")
        area = image.shape[0] * image.shape[1]
        wanted = min(wanted, area)
        if start_label not in (0, 1):
            raise ValueError(f"start_label must be 0 or 1, got {start_label}")
        was_training = self.training
        self.eval()
        joins = enforce_connectivity and self.oversegmentation > 1
        count = math.ceil(self.oversegmentation * wanted) if joins else wanted
        try:
            device = next((p.device for p in self.parameters()), torch.device("cpu"))
            pixels = torch.from_numpy(np.array(image)).to(device)  # a copy: it may be read-only
            pixels = pixels.permute(2, 0, 1)[None].float().div_(255)
            labels, colors = self.predict(pixels, count)
        finally:
            self.train(was_training)
        found = labels[0].to("cpu", torch.int32).numpy()
        if not enforce_connectivity:
            return np.asarray(found + start_label, np.int32)
        features = rgb_to_lab(image) if colors is None else colors[0].permute(1, 2, 0).cpu().numpy()
        mean_size = area / count
        min_size = max(1, int(self.min_size_factor * mean_size))
        connected = _connect(
            found,
            min_size,
            max(1, int(self.max_size_factor * mean_size)),
            image=features,
            start_label=start_label,
            refine_iter=self.refine_iter,
            position_weight=POSITION_WEIGHT / mean_size,
        )
        if not joins:
            return connected
        return _connect(
            connected,
            min_size,
            max_segments=wanted,
            image=features,
            start_label=start_label,
            refine_iter=self.refine_iter,
            position_weight=POSITION_WEIGHT * wanted / area,
        )

    def save(self, path: Path | str, dtype: torch.dtype | None = None) -> None:
        """Write the weights, and the arguments of the model, as safetensors.

        Parameters
        ----------
        path : Path or str
            The file.
        dtype : torch.dtype, optional
            float16, bfloat16, float32 or float64: what floating weights are rounded to. float16
            halves the file; `from_pretrained` computes with them in float32.

        Raises
        ------
        ValueError
            ``dtype`` is another one, or a weight is beyond its range.
        """
        allowed = (None, torch.float16, torch.bfloat16, torch.float32, torch.float64)
        if dtype not in allowed:
            raise ValueError(f"dtype must be float16, bfloat16, float32 or float64, got {dtype}")
        metadata = {"model": type(self).__name__, "options": json.dumps(self.options)}
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        if dtype is not None:
            for name, value in state.items():
                if value.is_floating_point():
                    state[name] = value.to(dtype)
                if not torch.equal(value.isfinite(), state[name].isfinite()):
                    raise ValueError(f"{name} is beyond the range of {dtype}")
        save_file(state, path, metadata)

    @classmethod
    def from_pretrained(cls, name: str | Path) -> Self:
        """Return a model with trained weights, ready to `segment`.

        Parameters
        ----------
        name : str or Path
            What superpix ships (`available_weights`), or a file that `save` wrote.

        Raises
        ------
        ValueError
            There are no such weights, or they are another model's.
        """
        path = WEIGHTS / f"{cls.__name__.lower()}_{name}.safetensors"
        if not path.is_file():
            path = Path(name)
        if not path.is_file():
            raise ValueError(
                f"{cls.__name__} has no weights {str(name)!r}: neither a file nor one of "
                f"{', '.join(cls.available_weights()) or 'none'}"
            )
        return cls._read(path)

    @classmethod
    def available_weights(cls) -> list[str]:
        """Return the names that `from_pretrained` takes."""
        start = f"{cls.__name__.lower()}_"
        return sorted(
            path.stem.removeprefix(start) for path in WEIGHTS.glob(f"{start}*.safetensors")
        )

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"{path}: not a safetensors file: {error}") from None
        if metadata.get("model") != cls.__name__:
            raise ValueError(
                f"{path}: weights of {metadata.get('model', 'an unknown model')}, "
                f"not of {cls.__name__}"
            )
        model = cls(**json.loads(metadata["options"]))
        model.load_state_dict(state, strict=True)
        return model.eval()


# `segment` has an argument of this name.
_connect = enforce_connectivity
