"""MPI-Sintel, optical flow of an animated film, in its original layout.

Butler, Wulff, Stanley, Black: A Naturalistic Open Source Movie for Optical Flow Evaluation. ECCV
2012. The film is (c) Blender Foundation, durian.blender.org, under CC BY 3.0; superpix does not
ship it.
"""

from __future__ import annotations

from pathlib import Path

from superpix.data.dataset import Dataset
from superpix.data.flo import is_known, read_flo
from superpix.data.images import check_exists, check_size, read_annotation, read_image
from superpix.data.layout import check_option, check_split, find_root, list_files
from superpix.data.sample import DataError, FlowSample

SPLITS = ("training",)

# Where training/ lies below what people call the data set's folder.
_ROOTS = ("", "MPI-Sintel-complete", "MPI-Sintel")

_PASSES = ("clean", "final")


class Sintel(Dataset[FlowSample]):
    """The training frames that have a next one, read from disk image by image.

    A frame comes with its flow to the next one. Its id is scene and frame, as
    "alley_1/frame_0001".

    Parameters
    ----------
    root : Path or str
        The folder that holds ``training/clean/{scene}/frame_*.png`` (or ``final``),
        ``training/flow/{scene}/frame_*.flo``, ``training/invalid`` and ``training/occlusions``, or
        the folder with ``MPI-Sintel-complete``.
    split : {"training"}
        Which part. The flow of "test" is not published.
    limit : int, optional
        Only the first so many frames, in the order of their ids.
    render_pass : {"clean", "final"}
        Without or with motion blur, defocus and atmosphere.
    occluded : bool
        Whether flow counts as valid where the next frame does not show the pixel.

    Raises
    ------
    ValueError
        For another `render_pass`.
    DataError
        Where the folder does not hold the split; from indexing, where a file is missing or broken.
        The text names the folder or file.

    Examples
    --------
    >>> for sample in Sintel("MPI-Sintel-complete", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.flow.shape, sample.valid.mean())
    """

    def __init__(
        self,
        root: Path | str,
        split: str = "training",
        limit: int | None = None,
        *,
        render_pass: str = "clean",
        occluded: bool = True,
    ) -> None:
        check_split("Sintel", split, SPLITS)
        check_option("render_pass", render_pass, _PASSES)
        folder = find_root(
            Path(root),
            _ROOTS,
            f"{split}/{render_pass}",
            f"MPI-Sintel in its original layout, {split}/{render_pass}/SCENE/frame_*.png and "
            f"{split}/flow/SCENE/frame_*.flo",
        )
        self._folder = folder / split
        self._occluded = occluded
        frames = list_files(self._folder / render_pass, ".png", below="*/")
        scenes = [frame.parent for frame in frames]
        pairs = zip(frames, scenes, scenes[1:], strict=False)
        images = [frame for frame, scene, next_scene in pairs if scene == next_scene]
        if not images:
            raise DataError(f"{self._folder / render_pass}: holds no scene of two frames")
        super().__init__(images[:limit])

    def __getitem__(self, index: int) -> FlowSample:
        """Read one frame, its flow and where that is valid."""
        path = self._images[index]
        image = read_image(path)
        name = f"{path.parent.name}/{path.stem}"
        flow_path = self._folder / "flow" / f"{name}.flo"
        check_exists(flow_path, path)
        flow = read_flo(flow_path)
        check_size(flow, flow_path, image, path)
        valid = is_known(flow)
        for mask in ("invalid",) if self._occluded else ("invalid", "occlusions"):
            mask_path = self._folder / mask / f"{name}.png"
            valid &= read_annotation(mask_path, image, path) == 0
        return FlowSample(name, image, flow, valid)
