import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.scribbling import ScribbledLoader, Scribbler
from fullseg.simulation.interaction import training_scribbles
from fullseg.simulation.randomness import TRAINING, seeded
from fullseg.types import Batch


def shift(batch: Batch) -> Tensor:
    """Return a prediction that is wrong along every border."""
    return torch.roll(batch.region_maps, (4, 5), (1, 2))


def scribbler(workers: int = 0, max_scribbles: int = 3, events: list[str] | None = None) -> Scribbler:
    def predict(batch: Batch) -> Tensor:
        if events is not None:
            events.append(f"predict {batch.names[0]}")
        return shift(batch)

    return Scribbler(predict=predict, move=lambda b: b, max_scribbles=max_scribbles, seed=5, workers=workers)


@pytest.fixture(scope="module")
def batches(tiny_data: object) -> list[Batch]:
    return list(loader(tiny_data, 2))


def loader(folder: object, batch_size: int) -> DataLoader[object]:
    config = DataConfig(format="coco_panoptic", root=str(folder), crop_size=96, batch_size=batch_size, workers=0)
    config.cache = str(folder / "cache")
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=5), seed=5)
    data.setup()
    return data.train_dataloader()  # type: ignore[return-value]


def with_scribbles(folder: object, batch_size: int, **options: int) -> list[Batch]:
    adds = scribbler(**options)
    try:
        return list(ScribbledLoader(loader(folder, batch_size), adds, None))  # type: ignore[arg-type]
    finally:
        adds.close()


def strokes_by_name(batches: list[Batch]) -> dict[str, list[tuple[int, list[list[float]]]]]:
    """Return the scribbles of every sample, with regions in [0, N) of the sample."""
    found: dict[str, list[tuple[int, list[list[float]]]]] = {}
    for batch in batches:
        paths = batch.scribble_points.split(batch.scribble_lengths.tolist())
        first = 0
        for name, count in zip(batch.names, batch.regions_per_image.tolist(), strict=True):
            mine = zip(batch.scribble_regions.tolist(), paths, strict=True)
            found[name] = [(r - first, path.tolist()) for r, path in mine if first <= r < first + count]
            first += count
    return found


def test_scribbles_are_those_of_each_sample_alone(tiny_data: object, batches: list[Batch]) -> None:
    got = strokes_by_name(with_scribbles(tiny_data, 2))
    assert sum(len(strokes) for strokes in got.values()) > 20
    for batch in batches:
        for row, (epoch, index) in enumerate(batch.keys.tolist()):
            rng = seeded(5, TRAINING, epoch, index, 1)
            truth, prediction = batch.region_maps[row].numpy(), shift(batch)[row].numpy()
            count = int(batch.regions_per_image[row])
            expected = training_scribbles(truth, prediction, count, 3, rng)
            assert got[batch.names[row]] == [(s.region, s.points.tolist()) for s in expected]


def test_neither_workers_nor_batch_size_change_them(tiny_data: object) -> None:
    alone = strokes_by_name(with_scribbles(tiny_data, 1))
    assert strokes_by_name(with_scribbles(tiny_data, 2)) == alone
    assert strokes_by_name(with_scribbles(tiny_data, 2, workers=2)) == alone


def test_all_else_in_the_batch_stays(tiny_data: object, batches: list[Batch]) -> None:
    for before, after in zip(batches, with_scribbles(tiny_data, 2), strict=True):
        for name in set(Batch._fields) - {"scribble_points", "scribble_lengths", "scribble_regions"}:
            one, other = getattr(before, name), getattr(after, name)
            assert torch.equal(one, other) if isinstance(one, Tensor) else tuple(one) == tuple(other)


def test_the_next_batch_is_predicted_before_this_one_is_trained_on(tiny_data: object, batches: list[Batch]) -> None:
    events: list[str] = []
    adds = scribbler(events=events)
    iterator = iter(ScribbledLoader(loader(tiny_data, 2), adds, None))  # type: ignore[arg-type]
    events.extend(f"train {batch.names[0]}" for batch in iterator)
    adds.close()
    names = [batch.names[0] for batch in batches]
    expected = [f"predict {names[0]}"]
    for here, following in zip(names, [*names[1:], None], strict=True):
        expected += [f"predict {following}"] * (following is not None) + [f"train {here}"]
    assert events == expected


def test_an_error_of_a_worker_reaches_the_training(tiny_data: object) -> None:
    adds = scribbler(workers=1)
    adds.predict = lambda batch: torch.full_like(batch.region_maps, 999)
    with pytest.raises(ValueError, match="prediction holds regions 999 to 999"):
        list(ScribbledLoader(loader(tiny_data, 2), adds, None))  # type: ignore[arg-type]
    adds.close()


def test_length_and_sampler_are_the_loaders(tiny_data: object) -> None:
    plain = loader(tiny_data, 2)
    adds = scribbler()
    wrapped = ScribbledLoader(plain, adds, None)  # type: ignore[arg-type]
    assert len(wrapped) == len(plain) == 4
    assert wrapped.sampler is plain.sampler
    adds.close()
    assert np.isfinite(adds.predicting)
