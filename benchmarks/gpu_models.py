"""Part (e) of benchmarks/gpu.sh: models of BSDS500, trained at once on one GPU for a fixed time, and studied."""

import os
import subprocess
import sys
from pathlib import Path

from gpu_rows import data_options, part_arguments

from fullseg.config.load import load_config
from fullseg.data.datamodule import InteractiveDataModule

FULL_IMAGE = ["bsds500/full_image", "bsds500/full_image_scribble"]  # the second one needs the first one
BEYOND = ["sessions", "sharp", "kriging", "diffusion", "partly", "looks"]  # islands is partly with another option
TRAINING = 0.6  # part of the time; the rest is for the start of the processes and the study


def main() -> None:
    """Start a process per model, or per model and its counterpart, and wait for all of them."""
    arguments = part_arguments(__doc__)
    beyond = BEYOND[-1:] if arguments.tiny else BEYOND
    cache = Path(os.environ.get("OUT", "runs")).resolve() / "cache"
    config = load_config("experiments/bsds500/full_image.yaml", [*data_options(), f"data.cache={cache}"])
    InteractiveDataModule.from_config(config).prepare_data()  # once, before all processes want it
    command = [sys.executable, str(Path(__file__).with_name("gpu_one_model.py")), "--rows", str(arguments.rows)]
    command += ["--seconds", str(TRAINING * arguments.seconds), *(["--tiny"] if arguments.tiny else [])]
    groups = [FULL_IMAGE, *([f"beyond/{name}"] for name in beyond)]
    running = [subprocess.Popen([*command, *group]) for group in groups]
    sys.exit(max(process.wait() for process in running))


if __name__ == "__main__":
    main()
