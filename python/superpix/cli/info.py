"""`superpix info`: what is installed, how it was built, what it runs on."""

import importlib.metadata
import platform
import shutil
import subprocess
import sys

import numpy as np

import superpix
from superpix.cli import console

# Names on PyPI. OpenCV comes under four of them; those with ximgproc are the contrib ones.
OPTIONAL_PACKAGES = (
    "torch",
    "typer",
    "rich",
    "pillow",
    "matplotlib",
    "scipy",
    "safetensors",
    "lightning",
    "tensorboard",
    "pyyaml",
    "scikit-image",
    "fast-slic",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def info() -> None:
    """Print version, build, threads, CUDA devices and optional packages."""
    build = superpix.build_info()
    levels = build["simd_available"]
    compiled_levels = ", ".join(levels) if isinstance(levels, list) else str(levels)
    facts = {
        "superpix": superpix.__version__,
        "compiler": str(build["compiler"]),
        "SIMD": f"{build['simd']} (of {compiled_levels})",
        "threads": str(superpix.get_num_threads()),
        "CUDA": _cuda_state(compiled=bool(build["cuda"])),
        "devices": "; ".join(cuda_devices()) or "none found",
        "Python": f"{platform.python_version()} ({sys.executable})",
        "NumPy": np.__version__,
        "platform": platform.platform(),
        "headers": superpix.get_include(),
        "CMake package": superpix.get_cmake_dir(),
    }
    facts |= optional_packages()
    width = max(map(len, facts))
    for name, value in facts.items():
        console.line(f"{name:<{width}}  {value}")


def optional_packages() -> dict[str, str]:
    """Return name and version of every optional package, or that it is not installed.

    None of them is imported.
    """
    found = {}
    for name in OPTIONAL_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def cuda_devices() -> list[str]:
    """Return "name, memory" of each NVIDIA GPU of the machine, whether or not superpix can use it.

    The driver's own tool is asked, so that a build without CUDA can also tell what it misses.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [device for device in map(str.strip, answer.stdout.splitlines()) if device]


def _cuda_state(*, compiled: bool) -> str:
    if not compiled:
        return "not in this build (build with nvcc on PATH, or SUPERPIX_CUDA=ON)"
    if not superpix.cuda_available():
        return "in this build, but no usable device or driver"
    return "in this build, and available"
