"""Registers and spills of every CUDA kernel, as the compiler reports them: `nvcc -Xptxas -v`.

Of the types that a kernel is made for, the table shows the range. Needs nvcc, and no device.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KERNEL = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?"
    r"(?P<spills>\d+) bytes spill stores.*?Used (?P<registers>\d+) registers",
    re.DOTALL,
)


def compile_report(source: Path, arch: str) -> str:
    """Return what ptxas says of a source."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *("nvcc", "-std=c++20", f"-arch={arch}", "-O3", "-Xptxas", "-v", "-c", str(source)),
            *(f"-I{ROOT / path}" for path in ("cpp/include", "cpp/src", ".")),
            *("-o", f"{folder}/object.o"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{source.name}: {done.stderr}")
    return done.stderr


def kernels(report: str) -> list[tuple[str, int, int]]:
    """Return (name without template arguments, registers, bytes spilled) of each kernel."""
    found = [m.groupdict() for m in KERNEL.finditer(report)]
    mangled = "\n".join(m["name"] for m in found)
    names = subprocess.run(["c++filt"], input=mangled, capture_output=True, text=True, check=True)
    result = []
    for m, name in zip(found, names.stdout.splitlines(), strict=True):
        short = re.search(r"(\w+_kernel)\b", name)
        result.append((short[1] if short else name, int(m["registers"]), int(m["spills"])))
    return result


def main() -> None:
    """Compile and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arch", default="sm_90")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if shutil.which("nvcc") is None:
        sys.exit("nvcc is not on PATH")
    sources = sorted((ROOT / "cuda").glob("*.cu"))
    with ThreadPoolExecutor(args.jobs) as pool:
        reports = list(pool.map(lambda source: compile_report(source, args.arch), sources))
    print(f"| source, {args.arch} | kernel | registers | bytes spilled |")
    print("|---|---|---|---|")
    for source, report in zip(sources, reports, strict=True):
        table: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for name, registers, spills in kernels(report):
            table[name].append((registers, spills))
        for name, variants in sorted(table.items()):
            registers = sorted({r for r, _ in variants})
            spills = max(s for _, s in variants)
            span = str(registers[0])
            if len(registers) > 1:
                span += f" to {registers[-1]}"
            print(f"| {source.name} | {name} | {span} | {spills} |")


if __name__ == "__main__":
    main()
