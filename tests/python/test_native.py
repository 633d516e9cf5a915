"""The C++ library as another CMake project finds it: `find_package(superpix)`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def build_and_run_consumer(cmake_dir: Path, build: Path, config: str) -> str:
    run(
        *("cmake", "-S", CONSUMER, "-B", build),
        *(f"-Dsuperpix_DIR={cmake_dir}", f"-DCMAKE_BUILD_TYPE={config}"),
    )
    run("cmake", "--build", build, "--config", config)
    programs = [p for p in build.rglob("consumer*") if p.name in ("consumer", "consumer.exe")]
    assert len(programs) == 1, programs
    return run(programs[0])


def test_get_include_and_get_cmake_dir_are_there() -> None:
    assert (Path(sp.get_include()) / "superpix" / "superpix.h").is_file()
    assert (Path(sp.get_include()) / "superpix" / "version.h").is_file()
    assert (Path(sp.get_cmake_dir()) / "superpixConfig.cmake").is_file()


@needs_tools
def test_python_package_is_enough_to_link_the_library(tmp_path: Path) -> None:
    output = build_and_run_consumer(Path(sp.get_cmake_dir()), tmp_path / "build", "Release")
    device = "yes" if sp.cuda_available() else "no"
    assert output == f"superpix {sp.__version__}: 4 superpixels, CUDA device: {device}\n"


@needs_tools
def test_cmake_install_is_enough_to_link_the_library(tmp_path: Path) -> None:
    build, prefix = tmp_path / "library", tmp_path / "prefix"
    # Unoptimised, which takes a third of the time.
    run("cmake", "-S", ROOT, "-B", build, "-DSUPERPIX_CUDA=OFF", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", build, "--config", "Debug", "--parallel", JOBS)
    run("cmake", "--install", build, "--config", "Debug", "--prefix", prefix)
    shutil.rmtree(build)  # an install does not need what it was made from
    (cmake_dir,) = (p.parent for p in prefix.rglob("superpixConfig.cmake"))
    output = build_and_run_consumer(cmake_dir, tmp_path / "build", "Debug")
    assert output == f"superpix {sp.__version__}: 4 superpixels, CUDA device: no\n"
