"""What the model's tests share: a canvas with odd sides and boxes of every kind in it."""

import numpy as np
import pytest
import torch
from torch import Tensor

SIZE = (37, 53)  # (H, W), both odd


def _hundred() -> list[list[int]]:
    rng = np.random.default_rng(0)
    height, width = SIZE
    x0, y0 = rng.integers(0, width, 100), rng.integers(0, height, 100)
    x1, y1 = rng.integers(x0 + 1, width + 1), rng.integers(y0 + 1, height + 1)
    return np.stack([x0, y0, x1, y1], axis=1).tolist()


BOXES: dict[str, list[list[int]]] = {
    "one": [[3, 5, 30, 22]],
    "pixel": [[7, 9, 8, 10]],
    "border": [[0, 0, 53, 37], [0, 0, 1, 1], [52, 36, 53, 37], [0, 30, 20, 37], [40, 0, 53, 9], [52, 0, 53, 37]],
    "identical": 3 * [[4, 6, 25, 31]],
    "hundred": _hundred(),
}


@pytest.fixture
def size() -> tuple[int, int]:
    return SIZE


@pytest.fixture(params=BOXES)
def boxes(request: pytest.FixtureRequest) -> Tensor:
    """(N, 4) float64, (x0, y0, x1, y1) in pixels."""
    return torch.tensor(BOXES[request.param], dtype=torch.float64)
