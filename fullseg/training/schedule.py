"""The learning rates: per layer, growth with the batch size, and over a run linear warm-up and cosine decay."""

import math
from collections.abc import Mapping
from typing import Any

import lightning as L
from torch import nn

from fullseg.model.segmenter import Segmenter
from fullseg.model.timm_body import layers_of


def warmup_then_cosine(step: int, *, warmup: int, total: float) -> float:
    """Return the factor by which the learning rate of one step is multiplied.

    Args:
        step: number of the step, from 0.
        warmup: number of steps in which the factor rises linearly, at least 0.
        total: number of steps of the whole run; from this step on the factor is 0. Infinite: it stays 1 after
            the warm-up.

    Returns:
        The factor, in [0, 1].
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    done = min(1.0, max(0, step - warmup) / max(1, total - warmup))
    return rise * 0.5 * (1 + math.cos(math.pi * done))


def growth_with_batch(images: int | None, base: int) -> float:
    """Return the factor of the learning rate for another batch size, which for AdamW is the square root of the ratio.

    Args:
        images: images per step, over all ranks; None: not known, the factor is 1.
        base: images per step for which the learning rate is given; 0: the factor is always 1.
    """
    return math.sqrt(images / base) if images and base else 1.0


def parameter_groups(segmenter: Segmenter, options: Mapping[str, Any], growth: float) -> list[dict[str, Any]]:
    """Return the optimiser's groups of the weights that are trained: ``head``, ``backbone``, and its earlier layers.

    Args:
        segmenter: the network.
        options: the options ``optimizer``. Those of older versions have no ``layer_decay``.
        growth: factor of all learning rates.
    """
    rate, decay = growth * options["backbone_learning_rate"], options.get("layer_decay", 1.0)
    by_distance: dict[int, list[nn.Parameter]] = {0: []}
    for part in segmenter.backbone_parts():
        distances = distances_to_end(part) if decay < 1 else {}
        for name, weight in part.named_parameters():
            if weight.requires_grad:
                by_distance.setdefault(distances.get(name, 0), []).append(weight)
    ids = {id(weight) for weights in by_distance.values() for weight in weights}
    others = [weight for weight in segmenter.parameters() if weight.requires_grad and id(weight) not in ids]
    groups = [{"name": "head", "params": others, "lr": growth * options["learning_rate"]}]
    for distance, weights in sorted(by_distance.items()):
        name = f"backbone-{distance}" if distance else "backbone"
        groups.append({"name": name, "params": weights, "lr": rate * decay**distance})
    return groups


def distances_to_end(part: nn.Module) -> dict[str, int]:
    """Return of every parameter of a part of a backbone how many layers lie between its layer and the last one.

    A part that timm did not make as it is, the last stage of the two-stage head, counts as one layer: {}.
    """
    if not hasattr(part, "feature_info"):
        return {}
    layers = layers_of(part)
    order = sorted(set(layers.values()))
    return {name: len(order) - 1 - order.index(layer) for name, layer in layers.items()}


def images_per_step(trainer: L.Trainer) -> int | None:
    """Return the images per optimiser step over all ranks, or None if the loader of training has no batch size."""
    share: int | None = getattr(trainer.train_dataloader, "batch_size", None)
    return share * trainer.world_size * trainer.accumulate_grad_batches if share else None


def steps_of_warmup(options: Mapping[str, Any], trainer: L.Trainer) -> int:
    """Return the number of optimiser steps of the warm-up.

    Args:
        options: the options ``optimizer``. Those of version 0.1.0 have ``warmup_steps`` alone.
        trainer: it has made its loaders.
    """
    steps = options.get("warmup_steps")
    if steps is not None:
        return int(steps)
    per_epoch = trainer.num_training_batches / trainer.accumulate_grad_batches
    return round(float(options["warmup_epochs"]) * math.ceil(per_epoch))
