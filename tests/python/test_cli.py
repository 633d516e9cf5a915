"""The `superpix` command: what it writes, what it says, how it fails."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

import superpix
from superpix.cli import info, pictures
from superpix.cli.app import app
from superpix.cli.inputs import choose_stems, find_images

HEIGHT, WIDTH = 40, 60
YELLOW = (255, 213, 0)

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `superpix ARGUMENTS` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_app(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run_app


def make_image(seed: int = 0) -> NDArray[np.uint8]:
    """Make an RGB image of some flat regions under a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    regions = (x // 17 + 3 * (y // 13) + ((x - 30) ** 2 + (y - 20) ** 2 < 150)) % 7
    colors = rng.integers(0, 240, (7, 3))
    noise = rng.integers(0, 15, (HEIGHT, WIDTH, 3))
    image: NDArray[np.uint8] = (colors[regions] + noise).astype(np.uint8)
    return image


def save(path: Path, image: NDArray[Any], **options: Any) -> Path:
    Image.fromarray(image).save(path, **options)
    return path


def load(path: Path) -> NDArray[Any]:
    with Image.open(path) as picture:
        return np.array(picture)


# segment: the three products


def test_segment_writes_overlay_and_labels_by_default(run: Run, tmp_path: Path) -> None:
    image = make_image()
    save(tmp_path / "photo.png", image)
    result = run("segment", "photo.png", "-n", 30)
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {
        "photo.png",
        "photo_overlay.png",
        "photo_labels.png",
    }
    expected = superpix.slic(image, n_segments=30)
    labels = load(tmp_path / "photo_labels.png")
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, expected)
    assert f"{WIDTH} x {HEIGHT}" in result.stdout
    assert f"{len(np.unique(expected))} superpixels" in result.stdout
    assert " ms" in result.stdout
    assert result.stderr == ""


def test_overlay_differs_from_the_image_only_at_boundaries(run: Run, tmp_path: Path) -> None:
    image = make_image()
    save(tmp_path / "photo.png", image)
    assert run("segment", "photo.png", "-n", 30).exit_code == 0
    drawn = load(tmp_path / "photo_overlay.png")
    labels = superpix.slic(image, n_segments=30)
    boundary = np.zeros(labels.shape, dtype=bool)
    boundary[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    boundary[:-1] |= labels[:-1] != labels[1:]
    assert boundary.any()
    assert not boundary.all()
    np.testing.assert_array_equal(drawn[~boundary], image[~boundary])
    assert (drawn[boundary] == YELLOW).all()


def test_mean_is_the_mean_colour_of_each_label(run: Run, tmp_path: Path) -> None:
    image = make_image()
    save(tmp_path / "photo.png", image)
    assert run("segment", "photo.png", "-n", 30, "--save", "mean").exit_code == 0
    painted = load(tmp_path / "photo_mean.png")
    labels = superpix.slic(image, n_segments=30)
    for label in np.unique(labels):
        inside = labels == label
        assert len(np.unique(painted[inside], axis=0)) == 1
        np.testing.assert_allclose(painted[inside][0], image[inside].mean(axis=0), atol=0.5)
    assert not (tmp_path / "photo_overlay.png").exists()


@pytest.mark.parametrize("labels_format", ["png", "tiff", "npy"])
def test_labels_formats(run: Run, tmp_path: Path, labels_format: str) -> None:
    image = make_image()
    save(tmp_path / "photo.png", image)
    result = run("segment", "photo.png", "--save", "labels", "--labels-format", labels_format)
    assert result.exit_code == 0, result.output
    path = tmp_path / f"photo_labels.{labels_format}"
    labels = np.load(path) if labels_format == "npy" else load(path)
    assert labels.dtype == (np.uint16 if labels_format == "png" else np.int32)
    np.testing.assert_array_equal(labels, superpix.slic(image, n_segments=500))


def test_labels_beyond_16_bits(tmp_path: Path) -> None:
    labels = np.array([[1, 70000]], dtype=np.int32)
    with pytest.raises(pictures.PictureError, match="--labels-format tiff or npy"):
        pictures.write_labels(tmp_path / "labels.png", labels)
    assert not (tmp_path / "labels.png").exists()
    pictures.write_labels(tmp_path / "labels.tiff", labels)
    np.testing.assert_array_equal(load(tmp_path / "labels.tiff"), labels)
    pictures.write_labels(tmp_path / "labels.npy", labels)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), labels)


def test_options_reach_slic(run: Run, tmp_path: Path) -> None:
    image = make_image()
    save(tmp_path / "photo.png", image)
    result = run(
        *("segment", "photo.png", "-o", "out", "--n-segments", 20, "--compactness", 3.5),
        *("--max-num-iter", 4, "--sigma", 0.7, "--slic-zero", "--start-label", 0, "--threads", 1),
        *("--no-connectivity", "--labels-format", "npy"),
    )
    assert result.exit_code == 0, result.output
    expected = superpix.slic(
        image,
        n_segments=20,
        compactness=3.5,
        max_num_iter=4,
        sigma=0.7,
        slic_zero=True,
        start_label=0,
        enforce_connectivity=False,
        num_threads=1,
    )
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "photo_labels.npy"), expected)


@pytest.mark.parametrize(
    ("flag", "connected"),
    [
        ("--enforce-connectivity", True),
        ("--no-enforce-connectivity", False),
        ("--no-connectivity", False),
    ],
)
def test_connectivity_flags(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, connected: bool
) -> None:
    seen: dict[str, Any] = {}

    def slic(image: NDArray[Any], **options: Any) -> NDArray[np.int32]:
        seen.update(options)
        return np.ones(image.shape[:2], dtype=np.int32)

    monkeypatch.setattr(superpix, "slic", slic)
    save(tmp_path / "photo.png", make_image())
    assert run("segment", "photo.png", flag).exit_code == 0
    assert seen["enforce_connectivity"] is connected


def test_color(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "photo.png", make_image())
    assert run("segment", "photo.png", "-n", 30, "--color", "#0000ff").exit_code == 0
    drawn = load(tmp_path / "photo_overlay.png")
    assert (drawn == (0, 0, 255)).all(axis=2).any()


# segment: kinds of pictures


def labels_of(run: Run, tmp_path: Path, name: str) -> NDArray[np.int32]:
    result = run("segment", name, "-n", 30, "--labels-format", "npy", "--save", "labels,overlay")
    assert result.exit_code == 0, result.output
    labels: NDArray[np.int32] = np.load(tmp_path / f"{Path(name).stem}_labels.npy")
    assert load(tmp_path / f"{Path(name).stem}_overlay.png").shape == (*labels.shape, 3)
    return labels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_grey(run: Run, tmp_path: Path, dtype: type) -> None:
    grey: NDArray[Any] = make_image()[:, :, 0].astype(dtype)
    if dtype != np.uint8:
        grey = grey * dtype(200)
    save(tmp_path / "grey.tif", grey)
    np.testing.assert_array_equal(pictures.read_picture(tmp_path / "grey.tif"), grey)
    labels = labels_of(run, tmp_path, "grey.tif")
    # A hundredth of the default compactness: grey spans 0..1 where Lab's lightness spans 0..100.
    expected = superpix.slic(grey, n_segments=30, compactness=0.1, channel_axis=None)
    np.testing.assert_array_equal(labels, expected)


def test_16_bit_png_keeps_its_values(tmp_path: Path) -> None:
    grey = make_image()[:, :, 0].astype(np.uint16) * 257
    path = save(tmp_path / "grey.png", grey)
    image = pictures.read_picture(path)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, grey)
    display = pictures.to_display(image)
    assert (display.min(), display.max()) == (0, 255)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    image = make_image()
    alpha = np.full((HEIGHT, WIDTH, 1), 255, dtype=np.uint8)
    alpha[:, 30:] = 0
    path = save(tmp_path / "alpha.png", np.concatenate([image, alpha], axis=2))
    read = pictures.read_picture(path)
    np.testing.assert_array_equal(read[:, :30], image[:, :30])
    assert (read[:, 30:] == 255).all()

    path = save(tmp_path / "grey_alpha.png", np.concatenate([image[:, :, :1], alpha], axis=2))
    read = pictures.read_picture(path)
    assert read.shape == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(read[:, :30], image[:, :30, 0])
    assert (read[:, 30:] == 255).all()


def test_palette(run: Run, tmp_path: Path) -> None:
    quantized = Image.fromarray(make_image()).quantize(16)
    quantized.save(tmp_path / "palette.png")
    quantized.save(tmp_path / "clear.gif", transparency=0)
    rgb = np.array(quantized.convert("RGB"))
    np.testing.assert_array_equal(pictures.read_picture(tmp_path / "palette.png"), rgb)
    labels = labels_of(run, tmp_path, "palette.png")
    np.testing.assert_array_equal(labels, superpix.slic(rgb, n_segments=30))

    is_clear = np.array(quantized) == 0
    read = pictures.read_picture(tmp_path / "clear.gif")
    assert (read[is_clear] == 255).all()
    np.testing.assert_array_equal(read[~is_clear], rgb[~is_clear])


def test_exif_orientation(run: Run, tmp_path: Path) -> None:
    image = make_image()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show the picture rotated by 90 degrees
    save(tmp_path / "turned.png", image, exif=exif)
    labels = labels_of(run, tmp_path, "turned.png")
    assert labels.shape == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(labels, superpix.slic(np.rot90(image, -1).copy(), n_segments=30))


def test_other_modes(tmp_path: Path) -> None:
    picture = Image.fromarray(make_image())
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    picture.convert("1").save(tmp_path / "bits.png")
    assert pictures.read_picture(tmp_path / "cmyk.tif").shape == (HEIGHT, WIDTH, 3)
    bits = pictures.read_picture(tmp_path / "bits.png")
    assert bits.dtype == np.uint8
    assert set(np.unique(bits)) == {0, 255}


def test_constant_picture(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "flat.tif", np.full((HEIGHT, WIDTH), 1000, dtype=np.uint16))
    assert labels_of(run, tmp_path, "flat.tif").shape == (HEIGHT, WIDTH)


# segment: several inputs, and failures


def test_one_bad_file_does_not_stop_the_rest(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("this is no picture\n" * 20)
    (tmp_path / "empty.png").touch()
    whole = save(tmp_path / "whole.png", make_image()).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    result = run("segment", "text.png", "empty.png", "missing.png", "half.png", "whole.png")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("error: ") for line in lines)
    errors = {line.split(":")[1].strip(): line for line in lines}
    assert "not a picture" in errors["text.png"]
    assert "empty" in errors["empty.png"]
    assert "no such file" in errors["missing.png"]
    assert "cannot be read" in errors["half.png"]
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["whole.png"]
    assert (tmp_path / "whole_overlay.png").exists()
    assert not list(tmp_path.glob("half_*"))


def test_slic_refusing_an_image_is_one_line(run: Run, tmp_path: Path) -> None:
    image = make_image()[:, :, 0].astype(np.float32)
    image[3, 3] = np.nan
    save(tmp_path / "nan.tif", image)
    result = run("segment", "nan.tif")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: nan.tif: ")
    assert len(result.stderr.splitlines()) == 1


def test_names_that_look_like_markup(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a [red] b.png", make_image())
    result = run("segment", "a [red] b.png", "lost [/red].png")
    assert "a [red] b.png" in result.stdout
    assert "lost [/red].png" in result.stderr


def test_folder_leaves_out_its_own_results(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder" / "below.png").mkdir(parents=True)
    save(tmp_path / "folder" / "b.png", make_image(1))
    save(tmp_path / "folder" / "a.jpg", make_image(2))
    save(tmp_path / "folder" / "other_mean.png", make_image(3))
    (tmp_path / "folder" / "notes.txt").write_text("no picture, and not named: no error")
    for _ in range(2):
        result = run("segment", "folder", "-o", "folder", "--save", "overlay,mean,labels")
        assert result.exit_code == 0, result.output
        names = [Path(line.split()[0]).name for line in result.stdout.splitlines()]
        assert names == ["a.jpg", "b.png", "other_mean.png"]


def test_patterns_and_repeats(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "one.png", make_image(1))
    save(tmp_path / "two.png", make_image(2))
    files, problems = find_images([str(tmp_path / "*.png"), str(tmp_path / "one.png")])
    assert [path.name for path in files] == ["one.png", "two.png"]
    assert problems == []
    result = run("segment", "*.gif")
    assert result.exit_code == 1
    assert "no file matches" in result.stderr
    (tmp_path / "void").mkdir()
    assert "holds no pictures" in run("segment", "void").stderr


def test_equal_stems_do_not_overwrite_each_other(run: Run, tmp_path: Path) -> None:
    for seed, name in enumerate(["a/x.png", "b/x.png", "b/X-2.png", "b/x.bmp"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name, make_image(seed))
    result = run("segment", "a/x.png", "b/x.png", "b/X-2.png", "b/x.bmp", "--labels-format", "npy")
    assert result.exit_code == 0, result.output
    written = {"x": 0, "x-3": 1, "X-2": 2, "x-4": 3}
    for stem, seed in written.items():
        labels = np.load(tmp_path / f"{stem}_labels.npy")
        np.testing.assert_array_equal(labels, superpix.slic(make_image(seed), n_segments=500))
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["note", "note"]
    assert str(Path("b/x.png")) in result.stderr
    assert "x-3_*" in result.stderr


def test_results_do_not_overwrite_an_input(tmp_path: Path) -> None:
    paths = [tmp_path / "x.png", tmp_path / "x_overlay.png"]
    stems, notes = choose_stems(paths, lambda stem: [tmp_path / f"{stem}_overlay.png"])
    assert stems == ["x-2", "x_overlay"]
    assert len(notes) == 1


def test_output_folder_that_is_a_file(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "photo.png", make_image())
    result = run("segment", "photo.png", "-o", "photo.png")
    assert result.exit_code == 1
    assert "photo.png: cannot be the output folder" in result.stderr


def test_results_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "photo.png", make_image())
    (tmp_path / "photo_labels.png").mkdir()
    result = run("segment", "photo.png")
    assert result.exit_code == 1
    assert "photo.png: results cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "ovrlay"], "overlay, mean, labels"),
        (["--save", ","], "nothing"),
        (["--color", "blurple"], "no colour"),
        (["--compactness", "0"], "above 0"),
        (["--compactness", "nan"], "above 0"),
        (["-n", "0"], "--n-segments"),
        (["-n", "70000"], "tiff"),
        (["--start-label", "2"], "--start-label"),
        (["--threads", "0"], "--threads"),
        (["--labels-format", "jpg"], "--labels-format"),
    ],
)
def test_wrong_options(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    save(tmp_path / "photo.png", make_image())
    result = run("segment", "photo.png", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


# pictures


def test_boundaries_of_every_width() -> None:
    labels = np.zeros((9, 12), dtype=np.int32)
    labels[:, 6:] = 1
    columns = {
        width: np.flatnonzero(pictures.boundary_mask(labels, width)[0]).tolist()
        for width in (1, 2, 3, 4)
    }
    assert columns == {1: [5], 2: [5, 6], 3: [4, 5, 6], 4: [4, 5, 6, 7]}
    assert pictures.boundary_mask(labels.T, 2)[:, 0].nonzero()[0].tolist() == [5, 6]


def test_lines_grow_with_the_picture_and_leave_room() -> None:
    y, x = np.mgrid[:1440, :1440]
    assert pictures.line_width((y // 40 * 36 + x // 40).astype(np.int32)) == 2
    assert pictures.line_width((y // 10 * 144 + x // 10).astype(np.int32)) == 1
    assert pictures.line_width(np.zeros((300, 400), dtype=np.int32)) == 1


# the other commands, and the packages


def test_info(run: Run) -> None:
    result = run("info")
    assert result.exit_code == 0
    for fact in (
        superpix.__version__,
        str(superpix.build_info()["simd"]),
        np.__version__,
        superpix.get_include(),
        superpix.get_cmake_dir(),
        "not in this build" if not superpix.build_info()["cuda"] else "in this build",
    ):
        assert fact in result.stdout
    assert "pillow" in result.stdout


def test_info_lists_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert info.cuda_devices() == []
    if sys.platform != "win32":
        tool = tmp_path / "nvidia-smi"
        tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB'\necho 'NVIDIA T4, 15360 MiB'\n")
        tool.chmod(0o755)
        assert info.cuda_devices() == ["NVIDIA H200, 143771 MiB", "NVIDIA T4, 15360 MiB"]
        tool.write_text("#!/bin/sh\nexit 9\n")
        assert info.cuda_devices() == []


def test_version_and_help(run: Run) -> None:
    assert run("--version").stdout.strip() == superpix.__version__
    help_text = run("--help").stdout
    for command in ("segment", "evaluate", "info"):
        assert command in help_text
    assert "65535" in run("segment", "--help").stdout


def python(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_import_superpix_needs_no_package_of_the_command_line() -> None:
    result = python(
        "import sys, superpix\n"
        "print(*{'typer', 'rich', 'PIL', 'matplotlib', 'scipy', 'torch'} & set(sys.modules))"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""


@pytest.mark.parametrize(
    ("module", "package"), [("typer", "typer"), ("rich", "rich"), ("PIL", "pillow")]
)
def test_missing_package_is_one_line(module: str, package: str) -> None:
    result = python(
        f"import sys; sys.modules[{module!r}] = None\nfrom superpix.cli import main; main()"
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"superpix: the command line needs {package}: pip install 'superpix[cli]'"
    ]


def test_python_dash_m() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "superpix", "--version"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == superpix.__version__
