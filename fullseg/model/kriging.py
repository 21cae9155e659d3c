"""Residual kriging: what an annotation says at its own pixels acts on all cells that resemble them (not in the paper).

Samples X lie a little inside of the extreme points, and along the scribbles. At a sample, the logit of the region that
it was given to, its owner, should exceed the logit of every rival by a margin. The residual R (N, S) says what is
missing: half is added to the owner, and the rest is taken from the rivals. It is interpolated as in Gaussian process
regression, and the result delta is added to the logits of all cells x::

    delta_i(x) = k(x, X) (K + sigma I)^-1 R_i^T          K = k(X, X)
    k(x, y)    = exp(-|e(x) - e(y)|^2 - |x - y|^2 / (2 l^2))

where e(x) is an embedding of the features and the colour at x, sigma allows for noise, and l is a reach in pixels. One
matrix K serves all regions. The result does not depend on the order of the annotations.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import SCRIBBLE_STEP, walk_scribbles
from fullseg.model.base import Strokes
from fullseg.model.canvas import OUTSIDE_LOGIT

MOST_SAMPLES = 256  # along all scribbles of an image, and more only if there are more scribbles; 512 gain nothing
SAMPLES_PER_STROKE = 24
INWARDS = 2.0  # px: so far within its region lies the sample of an extreme point
SAMPLE_STEP = 2.0  # px: samples of one scribble are at least so far apart
EMBEDDING = 24  # channels of the learned embedding, colour not counted
MARGIN, NOISE, REACH = 2.0, 0.02, 80.0  # initial margin in logits, sigma, and l in pixels
SIMILARITY, COLOUR = 2.0, 1.5  # weight of the squared distance of features, and weight of the colour beside them
LARGEST_STEP = 12.0  # a residual is at most so many logits
MOST_CELLS = 2**16  # of the grid: those of an image of more than 1024 x 1024 px at stride 4 are larger


class Kriging(nn.Module):
    """Computes delta for all regions of an image.

    Args:
        channels: of the feature map.
        stride: pixels per cell of the feature map.
        learned: the embedding, the weight of the colour, margin, sigma and l are trained. If false, nothing is, and the
            embedding is the feature map at unit length and the colour.
    """

    def __init__(self, channels: int, *, stride: int, learned: bool) -> None:
        super().__init__()
        self.stride, self.learned = stride, learned
        self.projection = nn.Conv2d(channels, EMBEDDING, 1, bias=False) if learned else None
        if self.projection is not None:  # a random projection keeps distances, so training starts from the fixed form
            nn.init.orthogonal_(self.projection.weight, gain=math.sqrt(SIMILARITY * channels / EMBEDDING))
        numbers = {"margin": MARGIN, "noise": NOISE, "reach": REACH, "colour": COLOUR * math.sqrt(SIMILARITY)}
        self.logs = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor(math.log(value)), requires_grad=learned)
                for name, value in numbers.items()
            }
        )

    def cell(self, height: int, width: int) -> int:
        """Return the pixels per cell of the grid that belongs to a feature map of height x width cells."""
        factor = 1
        while math.ceil(height / factor) * math.ceil(width / factor) > MOST_CELLS:
            factor *= 2
        return factor * self.stride

    def embed(self, features: Tensor, images: Tensor) -> Tensor:
        """Compute what the kernel compares, once per image.

        Args:
            features: (B, C, H', W') float.
            images: (B, 3, H, W) uint8 RGB.

        Returns:
            (B, D, h, w) float32 on the grid of ``cell``.
        """
        cell = self.cell(features.shape[-2], features.shape[-1])
        with torch.autocast(features.device.type, enabled=False):
            if cell > self.stride:
                features = F.avg_pool2d(features.float(), cell // self.stride, ceil_mode=True)
            unit = F.normalize(features.float(), dim=1)
            beyond = (0, cell * unit.shape[3] - images.shape[3], 0, cell * unit.shape[2] - images.shape[2])
            padded = F.pad(images.float() / 255, beyond, mode="replicate")
            colour = F.avg_pool2d(F.avg_pool2d(padded, cell), 3, 1, 1, count_include_pad=False)
            described = math.sqrt(SIMILARITY) * unit if self.projection is None else self.projection(unit)
            return torch.cat([described, self.logs["colour"].exp() * colour], dim=1)

    def residuals(self, logits: Tensor, owners: Tensor, *, background: bool) -> Tensor:
        """Return what is missing at the samples.

        Args:
            logits: (N, S) float, of all regions at S samples; ``OUTSIDE_LOGIT`` where a region's box does not reach.
            owners: (S,) int64 in [0, N), the region that each sample was given to.
            background: the background competes with logit 0, which nothing can lower.

        Returns:
            (N, S) float.
        """
        margin = self.logs["margin"].exp()
        mine = logits.gather(0, owners[None])  # (1, S)
        rivals = logits.scatter(0, owners[None], OUTSIDE_LOGIT)
        missing = (margin - (mine - rivals.amax(dim=0, keepdim=True))).clamp(0, LARGEST_STEP)
        step = missing / 2
        if background:
            step = torch.maximum(step, (margin - mine).clamp(0, LARGEST_STEP))
        excess = (rivals - (mine + step - margin)).clamp(0, LARGEST_STEP)
        residuals: Tensor = (-excess).scatter(0, owners[None], step)
        return residuals

    def forward(self, residuals: Tensor, points: Tensor, embedding: Tensor, cell: int) -> Tensor:
        """Spread residuals over an image.

        Args:
            residuals: (N, S) float, see ``residuals``.
            points: (S, 2) float, (x, y) of the samples in pixels.
            embedding: (D, h, w) float32 of the image, see ``embed``.
            cell: pixels per cell of the embedding.

        Returns:
            (N, h, w) float32, what is added to the logits of every region in every cell.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            cells = self.describe_cells(embedding, cell)
            samples = self.describe(points, cells, cell, embedding.shape[-1])
            weights = self.weights(residuals, samples)
            added = kernel(cells, samples) @ weights  # (h w, N)
        return added.T.reshape(-1, *embedding.shape[1:])

    def describe_cells(self, embedding: Tensor, cell: int) -> Tensor:
        """Return the vectors (h w, D + 2) of all cells that the kernel compares; arguments as in ``forward``."""
        rows, columns = (
            (torch.arange(side, device=embedding.device, dtype=torch.float32) + 0.5) * cell - 0.5
            for side in embedding.shape[1:]
        )
        centres = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
        return torch.cat([embedding, self._nearness() * centres]).flatten(1).T

    def describe(self, points: Tensor, cells: Tensor, cell: int, width: int) -> Tensor:
        """Return these vectors of samples: the embedding of their cell, but their own place.

        Args:
            points: (S, 2) float, (x, y) in pixels.
            cells: (h w, D + 2), result of ``describe_cells``.
            cell: pixels per cell.
            width: w, cells per row.

        Returns:
            (S, D + 2) float32.
        """
        points = points.float()
        column = (points[:, 0] / cell).long().clamp(0, width - 1)
        row = (points[:, 1] / cell).long().clamp(0, len(cells) // width - 1)
        return torch.cat([cells[row * width + column, :-2], self._nearness() * points.flip(1)], dim=1)

    def weights(self, residuals: Tensor, samples: Tensor) -> Tensor:
        """Solve for the weights (S, N) float32 of the samples (S, D + 2), with which the kernel interpolates."""
        noise = self.logs["noise"].exp().double() * torch.eye(len(samples), dtype=torch.float64, device=samples.device)
        among = kernel(samples.double(), samples.double()) + noise  # float32 would lose the digits of its inverse
        factor, _ = torch.linalg.cholesky_ex(among)
        solution: Tensor = torch.cholesky_solve(residuals.T.double(), factor).float()
        return solution

    def _nearness(self) -> Tensor:
        scale: Tensor = (0.5**0.5) / self.logs["reach"].exp()
        return scale


def sample_annotations(extreme_points: Tensor, strokes: Strokes) -> tuple[Tensor, Tensor]:
    """Choose the samples of an image: one for every extreme point, and points along every scribble.

    Args:
        extreme_points: (N, 4, 2) float, (x, y) in pixels.
        strokes: the scribbles of the image.

    Returns:
        (S, 2) float, (x, y) in pixels, and their regions (S,) int64.
    """
    regions = torch.arange(len(extreme_points), device=extreme_points.device).repeat_interleave(4)
    points = _inwards(extreme_points).reshape(-1, 2)
    if len(strokes.lengths) == 0:
        return points, regions
    along, stroke = walk_scribbles(strokes.points, strokes.lengths)
    lengths = torch.bincount(stroke, minlength=len(strokes.lengths))  # (T,) points along each scribble
    full = (lengths * (SCRIBBLE_STEP / SAMPLE_STEP)).long().clamp(1, SAMPLES_PER_STROKE)  # samples if there is room
    every = _stride(full)
    counts = -(-full // every)
    owner = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    number = every * (torch.arange(len(owner), device=counts.device) - (counts.cumsum(0) - counts)[owner])
    # A scribble with one sample has it in its middle, others from its first end on.
    share = torch.where(counts[owner] > 1, number / (full - 1).clamp(min=1)[owner], 0.5)
    place = (lengths.cumsum(0) - lengths)[owner] + (share * (lengths[owner] - 1)).round().long()
    return torch.cat([points, along[place]]), torch.cat([regions, strokes.regions[owner]])


def _stride(full: Tensor) -> Tensor:
    """Return the least s of 1, 2, 4, ... so that each scribble can have every s-th of its samples (T,).

    So most samples stay when a scribble is added. If there are too many scribbles, each has one sample.
    """
    strides = 2 ** torch.arange(1 + SAMPLES_PER_STROKE.bit_length(), device=full.device)
    totals = (-(-full[:, None] // strides)).sum(dim=0)
    return strides[(totals > MOST_SAMPLES).sum().clamp(max=len(strides) - 1)]


def _inwards(extreme_points: Tensor) -> Tensor:
    """Move every extreme point (N, 4, 2) by ``INWARDS`` towards the mean of its region's four, at most half of the way.

    An extreme point lies on the region's border, and a person's often beyond it. What it looks like there is as much
    that of the neighbour.
    """
    way = extreme_points.mean(dim=1, keepdim=True) - extreme_points
    length = way.norm(dim=2, keepdim=True).clamp(min=INWARDS)
    moved: Tensor = extreme_points + way * (INWARDS / length).clamp(max=0.5)
    return moved


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """Return exp(-|a_i - b_j|^2) of (A, D) and (B, D): (A, B)."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return torch.exp(-squares.clamp(min=0))
