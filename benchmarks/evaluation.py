"""The evaluation images of an experiment."""

from fullseg.config.schema import Config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.dataset import EvaluationSet


def evaluation_images(config: Config) -> EvaluationSet:
    """Open the evaluation images that a configuration names; they are imported or generated first if need be."""
    data = InteractiveDataModule.from_config(config)
    data.prepare_data()
    data.setup("validate")
    return data.evaluation_set()
