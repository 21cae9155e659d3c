"""Untrained models: they take as much time and memory as trained ones."""

import torch

from fullseg.config.schema import Config
from fullseg.model.factory import make_segmenter, without_initial_weights
from fullseg.model.segmenter import Segmenter
from fullseg.training.model_options import model_arguments


def untrained(config: Config) -> Segmenter:
    """Return the network of an experiment with random weights and one map for all classes."""
    torch.manual_seed(0)
    return make_segmenter(without_initial_weights(model_arguments(config, 1, background=False)))
