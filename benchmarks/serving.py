"""A running annotator, and a browser, for the benchmarks that need them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Server(NamedTuple):
    """A running server."""

    process: "subprocess.Popen[str]"
    address: str

    def seconds(self) -> float:
        """Return its processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return its peak memory so far, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e3  # type: ignore[index]


@contextmanager
def serving(images: Path, model: str, *options: str) -> Iterator[Server]:
    """Start the annotator on a folder with a model and more options of the command; end it in the end."""
    command = [sys.executable, "-m", "fullseg", "annotate", str(images), "--checkpoint", model, "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = next(found[1] for line in process.stderr if (found := re.search(r"Open (\S+) in", line)))
    threading.Thread(target=process.stderr.read, daemon=True).start()  # else a full pipe would stop it
    try:
        yield Server(process, address.rstrip("/"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def chromium() -> str | None:
    """Return the path of a Chromium: $FULLSEG_CHROMIUM, else the system's."""
    return os.environ.get("FULLSEG_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
