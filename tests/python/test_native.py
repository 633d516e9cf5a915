"""The C++ library as another CMake project finds it: `find_package(superpix)`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import superpix as sp

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "tests" / "consumer"
JOBS = str(min(os.cpu_count() or 1, 8))


def _missing_tool() -> str | None:
    """Name what there is not; Visual Studio's compiler is found by CMake alone."""
    if shutil.which("cmake") is None:
        return "cmake"
    compilers = [os.environ.get("CXX", "").split(" ")[0], "c++", "g++", "clang++"]
    if sys.platform != "win32" and not any(c and shutil.which(c) for c in compilers):
        return "a C++ compiler"
    return None


needs_tools = pytest.mark.skipif(_missing_tool() is not None, reason=f"needs {_missing_tool()}")


def run(*command: str | Path) -> str:
    """Run a command that must succeed; the output of one that does not is the error message."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def build_consumer(kind: str, cmake_dir: Path, build: Path, config: str) -> Path:
    """Build one of the projects in tests/consumer, and return its program or module."""
    options = [f"-Dsuperpix_DIR={cmake_dir}", f"-DCMAKE_BUILD_TYPE={config}"]
    if kind == "nanobind":
        nanobind = pytest.importorskip("nanobind")
        options += [
            f"-Dnanobind_DIR={nanobind.cmake_dir()}",
            f"-DPython_EXECUTABLE={sys.executable}",
        ]
    run("cmake", "-S", CONSUMER / kind, "-B", build, *options)
    run("cmake", "--build", build, "--config", config)
    endings = (".so", ".pyd") if kind == "nanobind" else ("", ".exe")
    found = [p for p in build.rglob("consumer*") if p.is_file() and p.suffix in endings]
    assert len(found) == 1, found
    return found[0]


def expected_output(device: str) -> str:
    return f"superpix {sp.__version__}: 4 superpixels, CUDA device: {device}\n"


def check_module(module: Path) -> None:
    """Compare the nanobind extension with what Python gets, in a process of its own."""
    code = """
import numpy as np
import superpix as sp
import consumer

image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
for view in (image, image[::-1, ::2], image.transpose(1, 0, 2)):
    labels = consumer.slic(view, 20)
    assert np.array_equal(labels, sp.slic(view, 20)), view.strides
labels = consumer.slic(image, 20) - 1
features = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
means = consumer.mean(features, labels, 20)
assert np.array_equal(means, sp.pool(features, labels, 20))
if sp.cuda_available():
    import torch

    pixels = torch.from_numpy(image).cuda()
    found = torch.empty(image.shape[:2], dtype=torch.int32, device="cuda")
    size = consumer.workspace_size(pixels, found, 20)
    consumer.slic_cuda(pixels, found, torch.empty(size, dtype=torch.uint8, device="cuda"), 20)
    assert np.array_equal(found.cpu(), sp.slic(image, 20))
try:
    consumer.slic(image[..., :2], 20)
except ValueError as error:
    print(error)
else:
    raise AssertionError("two channels are no RGB")
"""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(module.parent)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "image is RGB, got 2 channels" in done.stdout


def test_get_include_and_get_cmake_dir_are_there() -> None:
    assert (Path(sp.get_include()) / "superpix" / "superpix.h").is_file()
    assert (Path(sp.get_include()) / "superpix" / "version.h").is_file()
    assert (Path(sp.get_cmake_dir()) / "superpixConfig.cmake").is_file()


@needs_tools
@pytest.mark.parametrize("kind", ["cpp", "c", "nanobind"])
def test_python_package_is_enough_to_link_the_library(kind: str, tmp_path: Path) -> None:
    made = build_consumer(kind, Path(sp.get_cmake_dir()), tmp_path / "build", "Release")
    if kind == "nanobind":
        check_module(made)
    else:
        assert run(made) == expected_output("yes" if sp.cuda_available() else "no")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Install a static and a shared library, and return the folders of their CMake packages."""
    folder = tmp_path_factory.mktemp("installed")
    build = folder / "library"
    found = {}
    for kind, shared in (("static", "OFF"), ("shared", "ON")):
        # Unoptimised, which takes a third of the time; both are made of the same object files.
        options = (
            "-DSUPERPIX_CUDA=OFF",
            "-DCMAKE_BUILD_TYPE=Debug",
            f"-DBUILD_SHARED_LIBS={shared}",
        )
        run("cmake", "-S", ROOT, "-B", build, *options)
        run("cmake", "--build", build, "--config", "Debug", "--parallel", JOBS)
        run("cmake", "--install", build, "--config", "Debug", "--prefix", folder / kind)
        (found[kind],) = (p.parent for p in (folder / kind).rglob("superpixConfig.cmake"))
    shutil.rmtree(build)  # an install does not need what it was made from
    return found


@needs_tools
@pytest.mark.parametrize("library", ["static", "shared"])
@pytest.mark.parametrize("kind", ["cpp", "c", "nanobind"])
def test_cmake_install_is_enough_to_link_the_library(
    kind: str, library: str, installed: dict[str, Path], tmp_path: Path
) -> None:
    made = build_consumer(kind, installed[library], tmp_path / "build", "Debug")
    if kind == "nanobind":
        check_module(made)
    else:
        assert run(made) == expected_output("no")


needs_pkg_config = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("pkg-config") is None, reason="needs pkg-config"
)


def build_with_pkg_config(cmake_dir: Path, program: Path) -> None:
    folder = cmake_dir.parents[1] / "pkgconfig"
    flags = run("env", f"PKG_CONFIG_PATH={folder}", "pkg-config", "--cflags", "--libs", "superpix")
    rpath = f"-Wl,-rpath,{folder.parent}"
    run("cc", CONSUMER / "c" / "main.c", "-o", program, *flags.split(), rpath)


@needs_tools
@needs_pkg_config
def test_pkg_config_finds_the_library_of_the_python_package(tmp_path: Path) -> None:
    build_with_pkg_config(Path(sp.get_cmake_dir()), tmp_path / "consumer")
    device = "yes" if sp.cuda_available() else "no"
    assert run(tmp_path / "consumer") == expected_output(device)


@needs_tools
@needs_pkg_config
@pytest.mark.parametrize("library", ["static", "shared"])
def test_pkg_config_finds_an_installed_library(
    library: str, installed: dict[str, Path], tmp_path: Path
) -> None:
    build_with_pkg_config(installed[library], tmp_path / "consumer")
    assert run(tmp_path / "consumer") == expected_output("no")


@needs_tools
@needs_pkg_config
@pytest.mark.parametrize("libdir", ["lib", "lib/x86_64-linux-gnu", "/elsewhere/lib"])
def test_pkg_config_looks_where_the_library_is_installed(libdir: str, tmp_path: Path) -> None:
    options = ("-DSUPERPIX_CUDA=OFF", "-DCMAKE_INSTALL_PREFIX=/prefix")
    run("cmake", "-S", ROOT, "-B", tmp_path, *options, f"-DCMAKE_INSTALL_LIBDIR={libdir}")
    # As if it were installed: relative paths begin at the file itself.
    folder = Path("/prefix") / libdir / "pkgconfig"
    text = (tmp_path / "superpix.pc").read_text(encoding="utf-8")
    (tmp_path / "superpix.pc").write_text(text.replace("${pcfiledir}", str(folder)))
    for variable, expected in (("libdir", folder.parent), ("includedir", Path("/prefix/include"))):
        found = run("pkg-config", f"--variable={variable}", tmp_path / "superpix.pc").strip()
        assert os.path.normpath(found) == str(expected)


@needs_tools
@pytest.mark.skipif(sys.platform != "linux", reason="the names are Linux's")
def test_programs_look_for_the_version_they_were_linked_with(installed: dict[str, Path]) -> None:
    version = ".".join(sp.__version__.split(".")[:2])
    package = Path(sp.get_cmake_dir()).parents[1]
    assert (installed["shared"].parents[1] / f"libsuperpix.so.{version}").is_file()
    assert [p.name for p in package.glob("libsuperpix*")] == [f"libsuperpix.so.{version}"]


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("nm") is None, reason="needs ELF and nm"
)
def test_the_shared_library_offers_what_it_did() -> None:
    (library,) = Path(sp.get_cmake_dir()).parents[1].glob("libsuperpix.so*")
    lines = run("nm", "-DC", "--defined-only", library).splitlines()
    found = {line.split(" ", 2)[2] for line in lines if line.split(" ")[1] == "T"}
    listed = (ROOT / "cpp" / "superpix.symbols").read_text(encoding="utf-8").splitlines()
    assert found == {line for line in listed if not line.startswith("#")}


def test_every_public_function_is_in_a_test_of_cpp() -> None:
    listed = (ROOT / "cpp" / "superpix.symbols").read_text(encoding="utf-8").splitlines()
    folders = (ROOT / "tests" / "cpp", CONSUMER)
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in (".c", ".cpp", ".h")
    )
    # Those of superpix::cpu and superpix::cuda are for superpix's own Python module.
    public = [
        line for line in listed if not line.startswith(("#", "superpix::cpu:", "superpix::cuda:"))
    ]
    names = [re.split(r"[\[(]", line)[0].split("::")[-1] for line in public]
    assert len(names) > 30
    assert [name for name in names if not re.search(rf"\b{name}\(", code)] == []


def blocks_of_documentation(language: str) -> list[str]:
    text = (ROOT / "docs" / "cpp.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, language
    return found


@needs_tools
def test_the_documentation_is_a_working_program(tmp_path: Path) -> None:
    project, program = blocks_of_documentation("cmake")[0], blocks_of_documentation("cpp")[0]
    assert len(project.splitlines()) <= 10
    assert len(program.splitlines()) <= 20
    (tmp_path / "CMakeLists.txt").write_text(project, encoding="utf-8")
    (tmp_path / "main.cpp").write_text(program, encoding="utf-8")
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-Dsuperpix_DIR={sp.get_cmake_dir()}")
    run("cmake", "--build", build, "--config", "Release")
    assert re.fullmatch(r"\d+ superpixels\n", run(program_of(build, "example")))


@needs_tools
def test_the_documentation_of_c_is_a_working_program(tmp_path: Path) -> None:
    (program,) = blocks_of_documentation("c")
    (tmp_path / "main.c").write_text(program, encoding="utf-8")
    shutil.copy(CONSUMER / "c" / "CMakeLists.txt", tmp_path)
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-Dsuperpix_DIR={sp.get_cmake_dir()}")
    run("cmake", "--build", build, "--config", "Release")
    assert re.fullmatch(r"\d+ superpixels\n", run(program_of(build, "consumer")))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build examples/cpp with the library of the Python package, and return their folder."""
    build = tmp_path_factory.mktemp("examples")
    options = (f"-Dsuperpix_DIR={sp.get_cmake_dir()}", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "-S", ROOT / "examples" / "cpp", "-B", build, *options)
    run("cmake", "--build", build, "--config", "Release", "--parallel", JOBS)
    return build


def program_of(folder: Path, name: str) -> Path:
    (program,) = (p for p in folder.rglob(f"{name}*") if p.name in (name, f"{name}.exe"))
    return program


@needs_tools
@pytest.mark.parametrize("ending", ["ppm", "png"])
def test_example_draws_the_borders_of_superpixels(
    ending: str, examples: Path, tmp_path: Path
) -> None:
    from PIL import Image

    with Image.open(ROOT / "examples" / "astronaut.png") as file:
        image = np.array(file.convert("RGB").crop((50, 0, 210, 120)))
    picture, drawn = tmp_path / f"picture.{ending}", tmp_path / f"drawn.{ending}"
    Image.fromarray(image).save(picture)
    program = program_of(examples, "segment")
    if ending == "png" and not any(examples.rglob("png.cpp.o*")):
        pytest.skip("libpng was not found")
    output = run(program, picture, drawn, "50")
    labels = sp.slic(image, 50)
    assert output == f"{labels.max()} superpixels\n"
    right, below = np.diff(labels, axis=1) != 0, np.diff(labels, axis=0) != 0
    expected = image.copy()
    expected[:, :-1][right] = expected[:-1][below] = (255, 255, 0)
    with Image.open(drawn) as file:
        assert np.array_equal(np.array(file), expected)


@needs_tools
@pytest.mark.parametrize("content", [b"", b"P5 2 2 255 abcd", b"P6 2 2 255\nabc", b"P6 -1 2 255\n"])
def test_example_refuses_broken_pictures(content: bytes, examples: Path, tmp_path: Path) -> None:
    picture = tmp_path / "broken.ppm"
    picture.write_bytes(content)
    command = [program_of(examples, "segment"), picture, tmp_path / "drawn.ppm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{picture}: ")


@needs_tools
def test_example_of_soft_slic_learns(examples: Path) -> None:
    assert "after    loss" in run(program_of(examples, "soft_slic"))


@needs_tools
def test_example_with_a_stream_runs(examples: Path) -> None:
    if not list(examples.rglob("cuda_stream*")):
        pytest.skip("there is no CUDA toolkit")
    output = run(program_of(examples, "cuda_stream"))
    assert ("superpixels" if sp.cuda_available() else "no CUDA device") in output
