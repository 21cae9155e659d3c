"""Batches: what the samples hold, also after a move to a device."""

from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric.utilities import move_data_to_device
from torch.utils.data._utils.pin_memory import pin_memory

from fullseg.data.dataset import Item, collate
from fullseg.types import VOID, Batch, Sample, SampleKey


def by_hand() -> list[Item]:
    """Return three samples of 2 x 3 px with 2, 0 and 3 regions."""
    items = []
    for number, count in enumerate((2, 0, 3)):
        region_map = np.arange(6).reshape(2, 3) % 3
        region_map[region_map >= count] = VOID
        points = np.arange(count * 8, dtype=np.float32).reshape(count, 4, 2) + 100 * number
        image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) + 50 * number
        classes = np.arange(count) + 5 * number
        sample = Sample(
            SampleKey(3, number),
            f"{number}.png",
            image.astype(np.uint8),
            region_map,
            classes,
            points,
        )
        items.append(Item(sample, tuple(f"bad {number}.{k}" for k in range(number))))
    return items


def test_batch_holds_what_the_samples_hold_and_no_scribbles() -> None:
    items = by_hand()
    batch = collate(items)

    for k, (sample, _) in enumerate(items):
        np.testing.assert_array_equal(batch.images[k].numpy(), np.moveaxis(sample.image, -1, 0))
        np.testing.assert_array_equal(batch.region_maps[k].numpy(), sample.region_map)
    assert batch.images.dtype == torch.uint8
    assert batch.region_maps.dtype == batch.regions_per_image.dtype == batch.classes.dtype == torch.int64
    assert batch.regions_per_image.tolist() == [2, 0, 3]
    points = np.concatenate([np.arange(16).reshape(2, 4, 2), 200 + np.arange(24).reshape(3, 4, 2)])
    np.testing.assert_array_equal(batch.extreme_points.numpy(), points)
    assert batch.extreme_points.dtype == batch.scribble_points.dtype == torch.float32
    assert batch.scribble_points.shape == (0, 2)
    assert batch.scribble_lengths.shape == batch.scribble_regions.shape == (0,)
    assert batch.classes.tolist() == [0, 1, 10, 11, 12]
    assert batch.names == ("0.png", "1.png", "2.png")
    assert batch.skipped == ("bad 1.0", "bad 2.0", "bad 2.1")


def test_batch_stays_a_batch_when_lightning_moves_it() -> None:
    batch = collate(by_hand())
    moved = move_data_to_device(batch, torch.device("meta"))

    assert type(moved) is Batch
    assert {tensor.device.type for tensor in moved if isinstance(tensor, torch.Tensor)} == {"meta"}
    assert moved.names == batch.names
    assert moved.skipped == batch.skipped


def test_batch_stays_a_batch_when_torch_pins_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned_tensors: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor, *_: Any) -> torch.Tensor:  # there is no pinned memory without an accelerator
        pinned_tensors.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    batch = collate(by_hand())
    pinned = pin_memory(batch)

    assert type(pinned) is Batch
    assert len(pinned_tensors) == 10
    for before, after in zip(batch[:9], pinned[:9], strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert tuple(pinned.names) == batch.names  # torch makes a list of a plain tuple
    assert tuple(pinned.skipped) == batch.skipped
