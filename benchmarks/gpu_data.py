"""The first part of benchmarks/gpu.sh: imports BSDS500 or generates scenes, for which no other part has to wait."""

from gpu_rows import Row, data_options, out_folder, part_arguments, record

from fullseg.config.load import load_config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.scenes import write_scenes


def main() -> None:
    """Prepare both splits."""
    arguments = part_arguments(__doc__)
    if arguments.tiny:
        write_scenes(out_folder() / "cache" / "tiny", train=8, val=2, seed=0, exist_ok=True)
    config = load_config("experiments/bsds500/full_image.yaml", data_options(tiny=arguments.tiny))
    data = InteractiveDataModule.from_config(config)
    data.prepare_data()
    data.setup()
    record(arguments.rows, Row("images of the evaluation", str(len(data.evaluation_set())), note=config.data.format))


if __name__ == "__main__":
    main()
