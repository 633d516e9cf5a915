"""`superpix segment`: pictures in; overlays, mean colours and labels out."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageColor

import superpix
from superpix.cli import console, pictures
from superpix.cli.inputs import choose_stems, find_images
from superpix.cli.options import check_positive
from superpix.peers import LEARNED, MissingPackageError, load_model

PRODUCTS = ("overlay", "mean", "labels")

# `slic` stretches grey values to 0..1 where lightness in CIELAB spans 0..100. Dividing by this lets
# one compactness mean the same for a colour picture and for its grey version.
GREY_RANGE = 100.0


class LabelsFormat(str, Enum):
    """How label files are written."""

    png = "png"
    tiff = "tiff"
    npy = "npy"


# (picture [H, W] or [H, W, 3]) -> labels [H, W]
Segment = Callable[[NDArray[Any]], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Job:
    """What is done to every picture."""

    folder: Path
    products: frozenset[str]
    labels_format: str
    color: tuple[int, int, int]
    segment: Segment

    def outputs(self, stem: str) -> dict[str, Path]:
        """Return the file of each product for a picture whose results are called `stem`."""
        suffixes = {"overlay": "png", "mean": "png", "labels": self.labels_format}
        return {
            product: self.folder / f"{stem}_{product}.{suffixes[product]}"
            for product in PRODUCTS
            if product in self.products
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What the user is told about one picture."""

    path: Path
    size: tuple[int, int]
    superpixels: int
    milliseconds: float


def parse_products(text: str) -> frozenset[str]:
    """Read the value of --save."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PRODUCTS]
    if unknown or not names:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'nothing'} cannot be saved; "
            f"give one or more of {', '.join(PRODUCTS)}, separated by commas",
            param_hint="--save",
        )
    return frozenset(names)


def parse_color(text: str) -> tuple[int, int, int]:
    """Read the value of --color."""
    try:
        return ImageColor.getcolor(text, "RGB")[:3]  # type: ignore[index,return-value]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no colour; give one like '#ffd500', 'red' or 'rgb(255,213,0)'",
            param_hint="--color",
        ) from None


def check_format(labels_format: LabelsFormat, n_segments: int) -> None:
    """Refuse more superpixels than labels fit into the files, before any work is done."""
    try:
        pictures.check_labels_fit(n_segments, labels_format.value)
    except pictures.PictureError as error:
        raise typer.BadParameter(str(error), param_hint="--n-segments") from None


def segment(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="Pictures, folders of pictures (without their subfolders), or glob patterns in "
            "quotes.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Folder for the results; made if missing. Files of the same names are replaced.",
        ),
    ] = Path(),
    n_segments: Annotated[
        int,
        typer.Option("-n", "--n-segments", min=1, help="How many superpixels; about, for slic."),
    ] = 500,
    method: Annotated[
        str,
        typer.Option(
            help=f"slic, or a learned one: {', '.join(LEARNED)} (needs PyTorch); weights of one's "
            "own as ssn:FILE."
        ),
    ] = "slic",
    compactness: Annotated[
        float | None,
        typer.Option(
            help="Higher: squarer superpixels. Lower: closer to the colours. Means the same for "
            "grey pictures (slic is called with a hundredth of it). slic only.",
            callback=check_positive,
            show_default="10",
        ),
    ] = None,
    max_num_iter: Annotated[
        int | None,
        typer.Option(min=0, help="Iterations of k-means. slic only.", show_default="10"),
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Width in pixels of a Gaussian blur beforehand. slic only.",
            show_default="0",
        ),
    ] = None,
    slic_zero: Annotated[
        bool,
        typer.Option(
            "--slic-zero", help="SLICO: compactness adapts to each superpixel. slic only."
        ),
    ] = False,
    start_label: Annotated[int, typer.Option(min=0, max=1, help="The first label.")] = 1,
    enforce_connectivity: Annotated[
        bool,
        typer.Option(
            "--enforce-connectivity/--no-connectivity",
            "--enforce-connectivity/--no-enforce-connectivity",
            help="Make every superpixel one connected piece.",
        ),
    ] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads.", show_default="all cores")
    ] = None,
    save: Annotated[
        str, typer.Option(metavar="LIST", help="Which of overlay, mean and labels to write.")
    ] = "overlay,labels",
    labels_format: Annotated[
        LabelsFormat,
        typer.Option(
            help="png: 16 bits, refused above 65535 labels. tiff: 32 bits. npy: NumPy int32."
        ),
    ] = LabelsFormat.png,
    color: Annotated[
        str, typer.Option(metavar="COLOUR", help="Colour of the overlay's lines.")
    ] = "#ffd500",
) -> None:
    """Divide pictures into superpixels.

    Of a file with several frames the first is taken; what is transparent counts as white.

    Writes NAME_overlay.png (the picture with the boundaries drawn in), NAME_mean.png (each
    superpixel in its mean colour) and NAME_labels.png, .tiff or .npy (the number of each pixel's
    superpixel). A file that cannot be read is reported and the rest goes on; the exit code is
    then 1.
    """
    products = parse_products(save)
    if "labels" in products:
        check_format(labels_format, n_segments)
    options = {
        "n_segments": n_segments,
        "start_label": start_label,
        "enforce_connectivity": enforce_connectivity,
    }
    only_slic = {
        "compactness": compactness,
        "max_num_iter": max_num_iter,
        "sigma": sigma,
        "slic_zero": slic_zero or None,
    }
    job = Job(
        folder=output,
        products=products,
        labels_format=labels_format.value,
        color=parse_color(color),
        segment=_choose_method(method, threads, options, only_slic),
    )
    paths, problems = find_images(images)
    for problem in problems:
        console.error(problem)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        console.error(f"{output}: cannot be the output folder: {error.strerror}")
        raise typer.Exit(1) from None
    Image.MAX_IMAGE_PIXELS = None  # the guard is for servers; here the user named the files
    results = _segment_all(paths, job)
    _report(results)
    if problems or len(results) < len(paths):
        raise typer.Exit(1)


def _segment_all(paths: list[Path], job: Job) -> list[Result]:
    stems, notes = choose_stems(paths, lambda stem: job.outputs(stem).values())
    for text in notes:
        console.note(text)
    results = []
    with console.progress() as bar:
        task = bar.add_task("segmenting", total=len(paths), visible=len(paths) > 1)
        for path, stem in zip(paths, stems, strict=True):
            try:
                results.append(_segment_one(path, job, job.outputs(stem)))
            except (pictures.PictureError, ValueError) as error:
                console.error(f"{path}: {error}")
            except OSError as error:
                console.error(f"{path}: results cannot be written: {error}")
            except MemoryError:
                console.error(f"{path}: not enough memory")
            bar.advance(task)
    return results


def _choose_method(
    method: str,
    threads: int | None,
    options: dict[str, Any],
    only_slic: dict[str, Any],
) -> Segment:
    given = {name: value for name, value in only_slic.items() if value is not None}
    if method == "slic":
        return _slic(threads, options | given)
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise typer.BadParameter(f"{names}: only for slic", param_hint="--method")
    try:
        return _learned(load_model(method, threads), options)
    except (MissingPackageError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--method") from None


def _slic(threads: int | None, options: dict[str, Any]) -> Segment:
    compactness = options.pop("compactness", 10.0)

    def segment(image: NDArray[Any]) -> NDArray[np.int32]:
        is_grey = image.ndim == 2
        return superpix.slic(
            image,
            compactness=compactness / GREY_RANGE if is_grey else compactness,
            channel_axis=None if is_grey else -1,
            num_threads=threads,
            **options,
        )

    return segment


def _learned(model: Any, options: dict[str, Any]) -> Segment:
    def segment(image: NDArray[Any]) -> NDArray[np.int32]:
        labels: NDArray[np.int32] = model.segment(pictures.to_display(image), **options)
        return labels

    return segment


def _segment_one(path: Path, job: Job, outputs: dict[str, Path]) -> Result:
    image = pictures.read_picture(path)
    start = time.perf_counter()
    labels = job.segment(image)
    milliseconds = (time.perf_counter() - start) * 1e3
    if "labels" in outputs:
        pictures.write_labels(outputs["labels"], labels)
    display = pictures.to_display(image)
    if "overlay" in outputs:
        drawn = pictures.overlay(display, labels, job.color)
        pictures.write_picture(outputs["overlay"], drawn)
    if "mean" in outputs:
        pictures.write_picture(outputs["mean"], pictures.mean_color(display, labels))
    height, width = labels.shape
    count = int(np.count_nonzero(np.bincount(labels.ravel())))
    return Result(path, (width, height), count, milliseconds)


def _report(results: Iterable[Result]) -> None:
    rows = [
        (
            str(result.path),
            f"{result.size[0]} x {result.size[1]}",
            f"{result.superpixels} superpixels",
            f"{result.milliseconds:.1f} ms",
        )
        for result in results
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        console.line("  ".join([f"{name:<{widths[0]}}", *padded]))
