"""``fullseg release``: write a trained model as one small file."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    release = commands.add_parser(
        "release",
        help="write a trained model as one small file",
        description="Writes the weights of a run's best model, its options and classes, and where it comes from. Every "
        "command takes the file in place of a checkpoint. The evaluation set of the run says whether half precision "
        "changes labels.",
    )
    release.add_argument("model", metavar="RUN", help="run folder, or experiment (its newest run)")
    release.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="options that replace the run's, for example data.root or model.least_part",
    )
    release.add_argument("--out", type=Path, required=True, metavar="FILE.ckpt", help="new file")
    release.add_argument("--licence", metavar="TEXT", help="licence of the data (default: that of the run's data set)")
    release.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the file, and say how large it is and what half precision changes."""
    from fullseg.training.release import SAME, release

    written = release(options.model, options.out, options.overrides, licence=options.licence)
    about = f"{100 * written.same:.3f} % of all pixels of {written.images} images"
    kind = "half" if written.half else "single"
    print(f"half precision leaves the labels of {about} as they are (at least {100 * SAME:g} % are asked for)")
    print(f"{written.path}: {written.size / 1e6:.1f} MB, weights in {kind} precision")
    print(f"next        fullseg annotate path/to/photos --checkpoint {written.path}")
    return 0
