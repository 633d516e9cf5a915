"""Size of the installed package as a wheel, and what `import superpix` costs beside `import numpy`.

    python benchmarks/package.py

The installed files are compressed as wheels are. Both packages are imported by new processes in
turns; the times, of which the median is printed, include that of starting Python.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import time
import zipfile
from importlib.metadata import distribution


def wheel_megabytes() -> float:
    package = distribution("superpix")
    files = [f for f in package.files or () if f.suffix != ".pyc" and ".." not in f.parts]
    if not any(f.name.startswith("libsuperpix") for f in files):
        sys.exit("superpix must be installed with its library, not as an editable package")
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(package.locate_file(file), file.as_posix())
    return len(wheel.getvalue()) / 1e6


def import_seconds(name: str) -> float:
    started = time.perf_counter()
    # -I: what is installed, not what lies in this folder or PYTHONPATH.
    subprocess.run([sys.executable, "-I", "-c", f"import {name}"], check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--most-megabytes", type=float, help="fail if the wheel has more")
    arguments = parser.parse_args()

    times: dict[str, list[float]] = {"numpy": [], "superpix": []}
    for _ in range(arguments.repeats):
        for name, found in times.items():
            found.append(import_seconds(name))
    of_numpy, of_superpix = (1e3 * statistics.median(found) for found in times.values())
    megabytes = wheel_megabytes()
    print(
        f"wheel {megabytes:.1f} MB; import superpix {of_superpix:.0f} ms, "
        f"import numpy {of_numpy:.0f} ms, ratio {of_superpix / of_numpy:.2f}"
    )
    if arguments.most_megabytes is not None and megabytes > arguments.most_megabytes:
        sys.exit(f"the wheel has more than {arguments.most_megabytes} MB")


if __name__ == "__main__":
    main()
