"""How many CPU cores there are for a process."""

import os


def available_cores() -> int:
    """Return the number of cores that this process may use: on macOS and Windows, all of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
