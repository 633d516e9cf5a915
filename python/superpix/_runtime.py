"""What this build and this machine offer, and where its native parts lie."""

from __future__ import annotations

from pathlib import Path

from superpix import _arguments, _core

_PACKAGE = Path(__file__).resolve().parent


def set_num_threads(n: int) -> None:
    """Set the number of threads of all later calls; 0 goes back to the default.

    Results never depend on it. The default is the environment variable ``SUPERPIX_NUM_THREADS``,
    or else the processors that this process may run on.

    Raises
    ------
    TypeError
        ``n`` is not an integer.
    ValueError
        ``n`` is negative.
    """
    _core.set_num_threads(_arguments.bounded(n, "n"))


def get_num_threads() -> int:
    """Return the number of threads in use."""
    return _core.get_num_threads()


def cuda_available() -> bool:
    """Return whether this build has CUDA kernels and the machine a device to run them."""
    return _core.cuda_available()


def get_include() -> str:
    """Return the folder of the C++ headers, for compilers: ``#include <superpix/superpix.h>``."""
    return str(_native("include"))


def get_cmake_dir() -> str:
    """Return the folder of the CMake package, for ``cmake -Dsuperpix_DIR=...``."""
    found = [p for lib in ("lib", "lib64") if (p := _native(f"{lib}/cmake/superpix")).is_dir()]
    return str(found[0] if found else _native("lib/cmake/superpix"))


def build_info() -> dict[str, str | bool | list[str]]:
    """Return the version, compiler, CUDA support and instruction sets of this build.

    Keys: ``version``, ``compiler``, ``cuda`` (compiled with CUDA), ``cuda_devices``, ``simd`` (the
    instruction set whose kernels run), ``simd_available``.
    """
    return {
        "version": _core.__version__,
        "compiler": _core.compiler(),
        "cuda": _core.built_with_cuda(),
        "cuda_devices": _core.cuda_devices(),
        "simd": _core.simd_level(),
        "simd_available": _core.simd_available(),
    }


def _native(relative: str) -> Path:
    # In an editable install the compiled parts lie elsewhere than the Python files.
    beside_core = Path(_core.__file__).resolve().parent / relative
    return beside_core if beside_core.exists() else _PACKAGE / relative
