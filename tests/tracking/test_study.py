"""The tables of a study in W&B."""

import numpy as np
import pytest

from fullseg.study.records import ImageRecord
from fullseg.tracking.study import by_class, by_size
from fullseg.types import Category


def test_tables_by_size_and_class() -> None:
    def record(classes: list[int], area: list[int], iou: list[list[float]]) -> ImageRecord:
        numbers = np.array(iou)
        return ImageRecord(
            0, "", np.array(classes), np.array(area), numbers, numbers, np.zeros_like(numbers), [], [], [], np.zeros(2)
        )

    images = [
        record([0, 1], [10, 5000], [[0.2, 0.4], [0.3, 0.6]]),
        record([1], [20000], [[0.8], [np.nan]]),
    ]
    rows = by_class({"free": images}, [Category(0, name, isthing=True) for name in ("cat", "sky", "sea")])
    assert rows == [["free", "cat", 1, 0.2, 0.3], ["free", "sky", 2, pytest.approx(0.6), 0.6]]
    summary = {"free": {f"iou_{size}": [1, 2] for size in ("small", "medium", "large")}}
    assert [row[1:3] for row in by_size(summary, {"free": images})] == [["small", 1], ["medium", 1], ["large", 1]]
