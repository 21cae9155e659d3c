"""What follows the head on the canvas: kriging, then diffusion (not in the paper).

Both work on a window of the canvas, which is the whole image in training and a tile in interaction.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import walk_scribbles
from fullseg.model.base import Features, Strokes
from fullseg.model.canvas import OUTSIDE_LOGIT, logits_at, probabilities_of, with_background
from fullseg.model.diffusion import LEAST, Diffusion
from fullseg.model.kriging import Kriging, sample_annotations
from fullseg.types import VOID

SHARP_STRIDE = 2  # pixels per cell of the sharp feature map


class Window(NamedTuple):
    """A part of the canvas, in pixels; right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


class Spreading(nn.Module):
    """Lets the annotations of an image spread on its canvas.

    Args:
        kriging: ``none``, ``fixed`` or ``learned``, see ``Kriging``.
        diffusion: ``none``, ``fixed`` or ``learned``, see ``Diffusion``.
        channels: of the feature map.
        stride: pixels per cell of the feature map.
        sharp_channels: of the sharp feature map; 0: there is none.
        dilations: of the learned diffusion's steps, in pixels.
        background: a pixel may be of no region.
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
        background: bool,
    ) -> None:
        super().__init__()
        self.kriging = None if kriging == "none" else Kriging(channels, learned=kriging == "learned")
        self.diffusion: Diffusion | None = None
        if diffusion != "none":
            self.diffusion = Diffusion(sharp_channels, dilations=dilations, learned=diffusion == "learned")
        self.stride, self.background = stride, background

    def embed(self, features: Features) -> Features:
        """Add what kriging and diffusion compare to the features of a batch."""
        return features._replace(
            kriging=self.kriging.embed(features.coarse, features.images) if self.kriging else None,
            diffusion=self.diffusion.embed(features.images, features.sharp) if self.diffusion else None,
        )

    def forward(
        self, canvas: Tensor, logits: Tensor, boxes: Tensor, features: Features, points: Tensor, strokes: Strokes
    ) -> Tensor:
        """Spread the annotations of one image on its whole canvas, with scribbles whose lines are held.

        Args:
            canvas: (N, H, W) logits of ``project_to_canvas``.
            logits: (N, s, s) of the regions.
            boxes: (N, 4) in pixels.
            features: of the image, with ``embed``.
            points: (N, 4, 2) float32, extreme points, (x, y) in pixels.
            strokes: the scribbles of the image.

        Returns:
            (N, H, W) logits.
        """
        size = (canvas.shape[1], canvas.shape[2])
        with torch.autocast(canvas.device.type, enabled=False):
            if self.kriging is not None:
                cells = self.kriged_cells(logits, boxes, features, points, strokes)
                canvas = self.add_cells(canvas, cells, Window(0, 0, size[1], size[0]))
            if self.diffusion is not None:
                owners = line_owners(strokes, size)
                own = owners == torch.arange(len(canvas), device=canvas.device)[:, None, None]
                certain = torch.where(own, -OUTSIDE_LOGIT, canvas)
                canvas = self.flow(certain, features, owners != VOID, Window(0, 0, size[1], size[0]))
        return canvas

    def kriged_cells(
        self, logits: Tensor, boxes: Tensor, features: Features, points: Tensor, strokes: Strokes
    ) -> Tensor:
        """Return what kriging adds to the logits of N regions in every cell, (N, h, w); arguments as in ``forward``."""
        assert self.kriging is not None
        assert features.kriging is not None
        samples, owners = sample_annotations(points, strokes)
        residuals = self.kriging.residuals(logits_at(logits, boxes, samples), owners, background=self.background)
        cells: Tensor = self.kriging(residuals, samples, features.kriging, self.stride)
        return cells

    def add_cells(self, canvas: Tensor, cells: Tensor, window: Window) -> Tensor:
        """Add values per cell, resized bilinearly, to the logits of a window.

        Args:
            canvas: (N, H, W) logits; those of ``OUTSIDE_LOGIT`` stay.
            cells: (N, h, w) of the whole image.
            window: where the canvas lies in the image, H x W pixels.

        Returns:
            (N, H, W).
        """
        # One more cell on each side, which bilinear resizing reaches; at the image's edge the outermost cell goes on.
        top, bottom = max(0, window.top // self.stride - 1), math.ceil(window.bottom / self.stride) + 1
        left, right = max(0, window.left // self.stride - 1), math.ceil(window.right / self.stride) + 1
        near = F.interpolate(cells[None, :, top:bottom, left:right], scale_factor=self.stride, mode="bilinear")[0]
        y, x = window.top - self.stride * top, window.left - self.stride * left
        here = near[:, y : y + window.bottom - window.top, x : x + window.right - window.left]
        return torch.where(canvas > OUTSIDE_LOGIT, canvas + here, canvas)

    def flow(self, canvas: Tensor, features: Features, decided: Tensor, window: Window) -> Tensor:
        """Let the probabilities of a window flow.

        Args:
            canvas: (N, H, W) logits.
            features: of the image, with ``embed``.
            decided: (H, W) bool, pixels whose logits are certain: labels flow from them.
            window: where the canvas lies in the image, H x W pixels.

        Returns:
            (N, H, W) logits whose softmax (with the background, if any) is the result; ``OUTSIDE_LOGIT`` where it was.
        """
        assert self.diffusion is not None
        assert features.diffusion is not None
        near = features.diffusion[:, window.top : window.bottom, window.left : window.right]
        probabilities = with_background(canvas).softmax(dim=0) if self.background else probabilities_of(canvas)
        logits = (self.diffusion(probabilities, self.diffusion.affinities(near), decided) + LEAST).log()
        if self.background:
            logits = logits[:-1] - logits[-1:]
        return torch.where(canvas > OUTSIDE_LOGIT, logits, OUTSIDE_LOGIT)


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
        along, stroke = walk_scribbles(strokes.points, strokes.lengths)
        x, y = torch.floor(along + 0.5).long().unbind(1)
        latest.scatter_reduce_(0, y.clamp(0, height - 1) * width + x.clamp(0, width - 1), stroke, "amax")
        latest = torch.where(latest == VOID, VOID, strokes.regions[latest.clamp(min=0)])
    return latest.view(height, width)
