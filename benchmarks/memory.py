"""The most memory that something takes, from what Linux says of the process."""

from __future__ import annotations


def reset_peak() -> None:
    """Let the high-water mark of this process start from now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def resident() -> int:
    """Return the bytes that the process has now."""
    return _status("VmRSS")


def peak() -> int:
    """Return the most bytes that it had since `reset_peak`."""
    return _status("VmHWM")


def _status(key: str) -> int:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(key + ":"))
    return int(line.split()[1]) * 1024
