"""Part (e) of benchmarks/gpu.sh: models of BSDS500, trained at once on one GPU for a fixed time, and studied."""

import subprocess
import sys
from pathlib import Path

from gpu_rows import part_arguments

FULL_IMAGE = ["bsds500/full_image", "bsds500/full_image_scribble"]  # the second one needs the first one
BEYOND = ["sessions", "sharp", "kriging", "diffusion", "partly", "looks"]  # islands is partly with another option
TRAINING = 0.6  # part of the time; the rest is for the start of the processes and the study
TINY = 2.0  # seconds of training with --tiny


def main() -> None:
    """Start a process per model, or per model and its counterpart, and wait for all of them."""
    arguments = part_arguments(__doc__)
    beyond, seconds = (BEYOND[-1:], TINY) if arguments.tiny else (BEYOND, TRAINING * arguments.seconds)
    command = [sys.executable, str(Path(__file__).with_name("gpu_one_model.py")), "--rows", str(arguments.rows)]
    command += ["--seconds", str(seconds), *(["--tiny"] if arguments.tiny else [])]
    groups = [FULL_IMAGE, *([f"beyond/{name}"] for name in beyond)]
    running = [subprocess.Popen([*command, *group]) for group in groups]
    sys.exit(max(process.wait() for process in running))


if __name__ == "__main__":
    main()
