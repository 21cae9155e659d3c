"""The kernel of kriging between samples and cells of one image: the samples that stay are not computed again."""

import torch
from torch import Tensor

from fullseg.model.kriging import Kriging

KERNEL_BYTES = 10**8  # limit for the rows of all samples; if they are more, none is kept
AT_ONCE = 64  # samples whose rows are computed at once then


class KernelRows:
    """Spreads residuals over an image again and again, as ``Kriging.forward`` does.

    Args:
        kriging: of a network in evaluation mode.
        embedding: (D, h, w) float32 of the image.
        cell: pixels per cell.
    """

    def __init__(self, kriging: Kriging, embedding: Tensor, cell: int) -> None:
        self.kriging, self.cell, self.shape = kriging, cell, embedding.shape[1:]
        self.cells = kriging.describe_cells(embedding, cell).contiguous()  # (h w, D + 2)
        self.squares = self.cells.square().sum(dim=1)  # (h w,)
        most = max(1, KERNEL_BYTES // self.squares.nbytes)
        self.rows = self.cells.new_empty(most, len(self.cells))  # a row per sample; memory is taken when it is written
        self.row_of: dict[tuple[float, ...], int] = {}  # by the place of the sample

    def spread(self, residuals: Tensor, points: Tensor) -> Tensor:
        """Return what is added to the logits, (N, h, w), of residuals (N, S) at points (S, 2) in pixels."""
        with torch.autocast(points.device.type, enabled=False):
            samples = self.kriging.describe(points, self.cells, self.cell, self.shape[1])
            weights = self.kriging.weights(residuals, samples).T  # (N, S)
            if len(points) > len(self.rows):
                parts = zip(torch.split(weights, AT_ONCE, dim=1), torch.split(samples, AT_ONCE), strict=True)
                result = torch.stack([part @ self._kernel(here) for part, here in parts]).sum(dim=0)
            else:
                places = self._fill(points, samples)
                of_rows = weights.new_zeros(len(weights), 1 + int(places.max()))
                of_rows.index_add_(1, places, weights)
                result = of_rows @ self.rows[: of_rows.shape[1]]
        return result.reshape(-1, *self.shape)

    def _fill(self, points: Tensor, samples: Tensor) -> Tensor:
        """Compute the rows of new samples in the place of those that are gone; return the row (S,) of every sample."""
        keys = [tuple(point) for point in points.tolist()]
        self.row_of = {key: self.row_of[key] for key in keys if key in self.row_of}
        taken = set(self.row_of.values())
        free = iter(row for row in range(len(self.rows)) if row not in taken)
        new = {key: number for number, key in enumerate(keys) if key not in self.row_of}  # the last of equal samples
        self.row_of.update({key: next(free) for key in new})
        if new:
            rows = [self.row_of[key] for key in new]
            self.rows[rows] = self._kernel(samples[list(new.values())])
        return torch.tensor([self.row_of[key] for key in keys], device=points.device)

    def _kernel(self, samples: Tensor) -> Tensor:
        """Return the kernel (S, h w) of samples (S, D + 2)."""
        squares = samples.square().sum(dim=1)[:, None] + self.squares
        return squares.addmm_(samples, self.cells.T, alpha=-2).clamp_(min=0).neg_().exp_()
