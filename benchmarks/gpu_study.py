"""Part (d) of benchmarks/gpu.sh: how long the simulated annotator takes for 100 images and ten rounds."""

from gpu_rows import Row, data_options, out_folder, part_arguments, record
from limits import now

from fullseg.config.load import load_config
from fullseg.training.run_study import study

ROUNDS, IMAGES, GOAL = 10, 200, 60  # the goal is so many seconds for so many images
OPTIONS = ["checkpoint=photos", "counterpart=none", "study.strategies=[free]", "study.bootstrap=100"]
OPTIONS += ["tracking.wandb=disabled", "tracking.artifacts=false", "trainer.progress_bar=false"]


def main() -> None:
    """Study the released model on the evaluation images, with free allocation."""
    arguments = part_arguments(__doc__)
    rounds = 2 if arguments.tiny else ROUNDS
    options = [*data_options(tiny=arguments.tiny), *OPTIONS, f"study.rounds={rounds}", f"runs={out_folder() / 'study'}"]
    config = load_config("experiments/bsds500/full_image.yaml", options)
    start = now()
    _, content = study(config)
    took, images = now() - start, content["images"]
    note = f"{images} images of {config.data.format}, released model, free allocation, with its start"
    record(arguments.rows, Row(f"a study of {images} images, {rounds} rounds", f"{took:.1f} s", note=note))
    record(
        arguments.rows, Row(f"the same for {IMAGES} images", f"{took * IMAGES / images:.1f} s", f"{GOAL} s", "scaled")
    )


if __name__ == "__main__":
    main()
