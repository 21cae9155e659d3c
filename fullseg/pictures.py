"""Pictures of one image: what was given, what came out, what it should have been."""

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.types import VOID

MARGIN = 6  # px between panels
LEAST_HEIGHT = 320  # px of a panel: small images are enlarged


def region_colours(count: int) -> NDArray[np.uint8]:
    """Return (count, 3) uint8 RGB colours; neighbours in number are far apart in hue."""
    hues = np.arange(count) * 0.618034 % 1  # golden ratio
    levels = 0.95 - 0.25 * (np.arange(count) // 3 % 3) / 2
    colours = [colorsys.hsv_to_rgb(hue, 0.75, level) for hue, level in zip(hues, levels, strict=True)]
    return (255 * np.array(colours).reshape(-1, 3)).astype(np.uint8)


def overlay(
    image: NDArray[np.uint8], region_map: NDArray[np.int64], colours: NDArray[np.uint8], opacity: float = 0.55
) -> NDArray[np.uint8]:
    """Fill the regions of an image (H, W, 3) with colours (N, 3) and outline them; VOID is hatched black."""
    fill = np.vstack([np.zeros((1, 3), np.uint8), colours])[region_map - VOID]
    blend = ((1 - opacity) * image + opacity * fill).astype(np.uint8)
    border = np.zeros(region_map.shape, bool)
    border[:, 1:] |= region_map[:, 1:] != region_map[:, :-1]
    border[1:] |= region_map[1:] != region_map[:-1]
    blend[border] = 255
    row, column = np.indices(region_map.shape)
    blend[(region_map == VOID) & ((row + column) % 8 < 3)] = 0
    return blend


def draw_panels(
    image: NDArray[np.uint8], points: NDArray[np.float32], prediction: NDArray[np.int64], truth: NDArray[np.int64]
) -> Image.Image:
    """Put side by side: image, extreme points, prediction, truth; small images enlarged.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, 4, 2) extreme points, (x, y) in pixels.
        prediction: (H, W) int64 in [0, N) or VOID.
        truth: (H, W) int64, likewise.
    """
    colours = region_colours(len(points))
    scale = max(1, round(LEAST_HEIGHT / image.shape[0]))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    prediction, truth = (regions.repeat(scale, axis=0).repeat(scale, axis=1) for regions in (prediction, truth))
    marked = image.copy()
    for colour, quad in zip(colours.tolist(), np.rint(points * scale).astype(int).tolist(), strict=True):
        for x, y in quad:
            cv2.circle(marked, (x, y), 4, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(marked, (x, y), 3, colour, -1, cv2.LINE_AA)
    panels = [image, marked, overlay(image, prediction, colours), overlay(image, truth, colours)]
    gap = np.full((image.shape[0], MARGIN, 3), 255, np.uint8)
    return Image.fromarray(np.hstack([part for panel in panels for part in (panel, gap)][:-1]))
