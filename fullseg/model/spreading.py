"""What follows the head on the canvas: kriging, then diffusion (not in the paper).

Both work on a window of the canvas, which is the whole image in training and a tile in interaction.
"""

import math

import torch
from torch import Tensor, nn

from fullseg.model.annotation_maps import line_pixels
from fullseg.model.base import Features, Strokes, Window
from fullseg.model.canvas import OUTSIDE_LOGIT, inside_of, logits_at, probabilities_of, resize_to, with_background
from fullseg.model.diffusion import LEAST, Diffusion
from fullseg.model.kriging import Kriging, sample_annotations
from fullseg.types import VOID

SHARP_STRIDE = 2  # pixels per cell of the sharp feature map


class Spreading(nn.Module):
    """Lets the annotations of an image spread on its canvas.

    Args:
        kriging: ``none``, ``fixed`` or ``learned``, see ``Kriging``.
        diffusion: ``none``, ``fixed`` or ``learned``, see ``Diffusion``.
        channels: of the feature map.
        stride: pixels per cell of the feature map.
        sharp_channels: of the sharp feature map; 0: there is none.
        dilations: of the learned diffusion's steps, in pixels.
    """

    def __init__(
        self,
        *,
        kriging: str,
        diffusion: str,
        channels: int,
        stride: int,
        sharp_channels: int,
        dilations: list[int],
    ) -> None:
        super().__init__()
        self.kriging = None if kriging == "none" else Kriging(channels, stride=stride, learned=kriging == "learned")
        self.diffusion: Diffusion | None = None
        if diffusion != "none":
            self.diffusion = Diffusion(sharp_channels, dilations=dilations, learned=diffusion == "learned")

    def embed(self, features: Features) -> Features:
        """Add what kriging and diffusion compare to the features of a batch."""
        return features._replace(
            kriging=self.kriging.embed(features.coarse, features.images) if self.kriging else None,
            diffusion=self.diffusion.embed(features.images, features.sharp) if self.diffusion else None,
        )

    def cell(self, features: Features) -> int:
        """Return the pixels per cell of the kriging grid."""
        assert self.kriging is not None
        return self.kriging.cell(features.coarse.shape[-2], features.coarse.shape[-1])

    def residuals(
        self, logits: Tensor, boxes: Tensor, points: Tensor, strokes: Strokes, *, background: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the residuals (N, S) of an image and its samples (S, 2) in pixels; arguments as in ``Spread``."""
        assert self.kriging is not None
        samples, owners = sample_annotations(points, strokes)
        at_samples = logits_at(logits, boxes, samples)
        return self.kriging.residuals(at_samples, owners, background=background), samples

    def flowed(self, canvas: Tensor, affinities: list[Tensor], decided: Tensor, *, background: bool) -> Tensor:
        """Let the probabilities of a window flow.

        Args:
            canvas: (N, H, W) logits.
            affinities: of ``Diffusion.affinities``.
            decided: (H, W) bool, pixels whose logits are certain: labels flow from them.
            background: a pixel may be of no region.

        Returns:
            Probabilities, at least ``LEAST``: (N, H, W), or with a background (N + 1, H, W), the background last.
        """
        assert self.diffusion is not None
        probabilities = with_background(canvas).softmax(dim=0) if background else probabilities_of(canvas)
        flowed: Tensor = self.diffusion(probabilities, affinities, decided)
        return flowed + LEAST


class Spread:
    """What spreads on the canvas of one image.

    Args:
        spreading: says how.
        logits: (N, s, s) of the regions.
        boxes: (N, 4) in pixels.
        features: of the image, with ``Spreading.embed``.
        points: (N, 4, 2) float32, extreme points, (x, y) in pixels.
        strokes: the scribbles of the image.
        background: a pixel may be of no region.
    """

    def __init__(
        self,
        spreading: Spreading,
        logits: Tensor,
        boxes: Tensor,
        features: Features,
        points: Tensor,
        strokes: Strokes,
        *,
        background: bool,
    ) -> None:
        self.spreading, self.background = spreading, background
        self.reach = 0  # px: how far a pixel's logits reach on the canvas
        self.cells: Tensor | None = None  # (N, h, w), what kriging adds to the logits
        if spreading.kriging is not None:
            assert features.kriging is not None
            self.cell = spreading.cell(features)
            with torch.autocast(logits.device.type, enabled=False):
                residuals, samples = spreading.residuals(logits, boxes, points, strokes, background=background)
                self.cells = spreading.kriging(residuals, samples, features.kriging, self.cell)
        if spreading.diffusion is not None:
            assert features.diffusion is not None
            self.reach, self.embedding = spreading.diffusion.reach, features.diffusion
            self.owners = line_owners(strokes, (features.images.shape[1], features.images.shape[2]))

    def on(self, canvas: Tensor, regions: Tensor, window: Window) -> Tensor:
        """Let the annotations spread in a window. Only pixels at least ``reach`` px inside it are right.

        Diffusion leaves the pixels on a scribble's line to the scribble's region.

        Args:
            canvas: (n, h, w) logits of ``project_to_canvas``.
            regions: (n,) int64 in [0, N), all whose boxes reach the window, in rising order.
            window: of the canvas.

        Returns:
            (n, h, w) logits; ``OUTSIDE_LOGIT`` where it was.
        """
        with torch.autocast(canvas.device.type, enabled=False):
            if self.cells is not None:
                canvas = add_cells(canvas, self.cells[regions], self.cell, window)
            if self.spreading.diffusion is None or (len(regions) == 1 and not self.background):
                return canvas  # nobody competes with a lone region
            here = slice(window.top, window.bottom), slice(window.left, window.right)
            owners = self.owners[here]
            own = owners == regions[:, None, None]
            affinities = self.spreading.diffusion.affinities(self.embedding[:, *here])
            certain = torch.where(own, -OUTSIDE_LOGIT, canvas)
            flowed = self.spreading.flowed(certain, affinities, owners != VOID, background=self.background)
            logits = flowed.log()
            if self.background:
                logits = logits[:-1] - logits[-1:]
            return torch.where(certain > OUTSIDE_LOGIT, logits, OUTSIDE_LOGIT)


def add_cells(canvas: Tensor, cells: Tensor, cell: int, window: Window) -> Tensor:
    """Add values per cell, resized bilinearly, to the logits of a window.

    Args:
        canvas: (N, H, W) logits; those of ``OUTSIDE_LOGIT`` stay.
        cells: (N, h, w) of the whole image.
        cell: pixels per cell.
        window: where the canvas lies in the image, H x W pixels.

    Returns:
        (N, H, W).
    """
    return torch.addcmul(canvas, _magnified(cells, cell, window), inside_of(canvas))


def _magnified(cells: Tensor, cell: int, window: Window) -> Tensor:
    """Resize values per cell of the whole image (N, h, w) bilinearly to the pixels of a window, (N, H, W)."""
    # One more cell on each side, which bilinear resizing reaches; at the image's edge the outermost cell goes on.
    left, top = (max(0, edge // cell - 1) for edge in window[:2])
    near = cells[:, top : math.ceil(window.bottom / cell) + 1, left : math.ceil(window.right / cell) + 1]
    bottom, right = top + near.shape[1], left + near.shape[2]
    return resize_to(near, (cell * left, cell * top, cell * right, cell * bottom), window)


def line_owners(strokes: Strokes, size: tuple[int, int]) -> Tensor:
    """Return the region on whose scribbles' lines, one pixel wide, each pixel lies.

    Args:
        strokes: the scribbles of the image.
        size: (H, W) of the image in pixels.

    Returns:
        (H, W) int64 in [0, N), or VOID. Where scribbles cross, the later one has the pixel.
    """
    height, width = size
    latest = strokes.lengths.new_full((height * width,), VOID)
    if len(strokes.lengths):
        pixels, stroke = line_pixels(strokes.points, strokes.lengths, size)
        latest.scatter_reduce_(0, pixels, stroke, "amax")
        latest = torch.where(latest == VOID, VOID, strokes.regions[latest.clamp(min=0)])
    return latest.view(height, width)
