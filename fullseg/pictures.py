"""Pictures of one image: its annotations, its prediction and its true regions, side by side."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fullseg.types import BACKGROUND, VOID, Annotations, Sample

MARGIN = 6  # px between panels
TITLE_HEIGHT = 30  # px per line
LEAST_HEIGHT = 320  # px: smaller images are enlarged to about this height


def region_colours(count: int) -> NDArray[np.uint8]:
    """Return (count, 3) uint8 RGB colours. Successive ones differ much in hue."""
    hues = np.arange(count) * 0.618034 % 1  # golden ratio
    levels = 0.95 - 0.25 * (np.arange(count) // 3 % 3) / 2
    colours = [colorsys.hsv_to_rgb(hue, 0.75, level) for hue, level in zip(hues, levels, strict=True)]
    return (255 * np.array(colours).reshape(-1, 3)).astype(np.uint8)


def overlay(
    image: NDArray[np.uint8], region_map: NDArray[np.int64], colours: NDArray[np.uint8], opacity: float = 0.55
) -> NDArray[np.uint8]:
    """Fill the regions of an image with colours and draw their borders. VOID is hatched, BACKGROUND stays as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        region_map: (H, W) int64, region in [0, N), VOID or BACKGROUND.
        colours: (N, 3) uint8 RGB.
        opacity: of the colours, in [0, 1].

    Returns:
        (H, W, 3) uint8 RGB.
    """
    fill = np.vstack([np.zeros((2, 3), np.uint8), colours])[region_map - BACKGROUND]
    blend = ((1 - opacity) * image + opacity * fill).astype(np.uint8)
    blend[region_map == BACKGROUND] = image[region_map == BACKGROUND]
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
    """Put image, extreme points, prediction and truth side by side. Small images are enlarged.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, 4, 2) extreme points, (x, y) in pixels.
        prediction: (H, W) int64 in [0, N) or VOID.
        truth: (H, W) int64 in [0, N), VOID or BACKGROUND.
    """
    colours, prediction = region_colours(len(points)), _void_as_background(truth, prediction)
    scale = max(1, round(LEAST_HEIGHT / image.shape[0]))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    prediction, truth = (regions.repeat(scale, axis=0).repeat(scale, axis=1) for regions in (prediction, truth))
    marked = image.copy()
    _mark_points(marked, (points + 0.5) * scale - 0.5, colours)  # points are pixel centres
    return _row([image, marked, overlay(image, prediction, colours), overlay(image, truth, colours)])


def draw_interaction(
    image: NDArray[np.uint8], truth: NDArray[np.int64], rounds: Sequence[tuple[Annotations, NDArray[np.int64]]]
) -> Image.Image:
    """Draw the course of an annotation in six panels side by side (paper, Fig. 6).

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) int64 in [0, N), VOID or BACKGROUND.
        rounds: three pairs of annotations and prediction (H, W): after the extreme points, after the first round, and
            after the last.

    Returns:
        The panels: extreme points, first prediction, the same with the first scribbles, next prediction, last
        prediction, truth.
    """
    (points, _), (scribbled, _), _ = rounds
    first, second, last = (_void_as_background(truth, prediction) for _, prediction in rounds)
    colours = region_colours(len(points.extreme_points))
    marked = image.copy()
    _mark_points(marked, points.extreme_points, colours)
    corrected = overlay(image, first, colours)
    for scribble in scribbled.scribbles:
        path = np.rint(scribble.points).astype(np.int32)[:, None]
        cv2.polylines(corrected, [path], False, (255, 255, 255), 5, cv2.LINE_AA)
        cv2.polylines(corrected, [path], False, colours[scribble.region].tolist(), 3, cv2.LINE_AA)
    predictions = [overlay(image, regions, colours) for regions in (first, second, last, truth)]
    return _row([marked, predictions[0], corrected, *predictions[1:]])


def _void_as_background(truth: NDArray[np.int64], prediction: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace VOID by BACKGROUND in a prediction if the truth has BACKGROUND: there it can be right, so no hatching."""
    return np.where(prediction == VOID, BACKGROUND, prediction) if (truth == BACKGROUND).any() else prediction


def _mark_points(image: NDArray[np.uint8], points: NDArray[np.float32], colours: NDArray[np.uint8]) -> None:
    for colour, quad in zip(colours.tolist(), np.rint(points).astype(int).tolist(), strict=True):
        for x, y in quad:
            cv2.circle(image, (x, y), 4, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(image, (x, y), 3, colour, -1, cv2.LINE_AA)


def _row(panels: Sequence[NDArray[np.uint8]]) -> Image.Image:
    gap = np.full((panels[0].shape[0], MARGIN, 3), 255, np.uint8)
    return Image.fromarray(np.hstack([part for panel in panels for part in (panel, gap)][:-1]))


def titled(picture: Image.Image, lines: Sequence[Sequence[tuple[int, str]]]) -> Image.Image:
    """Put lines of text above a picture.

    Args:
        picture: to copy.
        lines: from top to bottom. Each is a list of texts with their x in pixels.
    """
    page = Image.new("RGB", (picture.width, picture.height + TITLE_HEIGHT * len(lines)), "white")
    page.paste(picture, (0, TITLE_HEIGHT * len(lines)))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=18)
    for row, texts in enumerate(lines):
        for x, text in texts:
            draw.text((x + 4, TITLE_HEIGHT * row + 4), text, fill="black", font=font)
    return page


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Put pictures one below the other."""
    page = Image.new("RGB", (max(p.width for p in pictures), sum(p.height + MARGIN for p in pictures)), "white")
    top = 0
    for picture in pictures:
        page.paste(picture, (0, top))
        top += picture.height + MARGIN
    return page


def draw_failures(
    cases: Sequence[tuple[str, Sample, Annotations, NDArray[np.int64], int]],
) -> Image.Image:
    """Draw single regions that went wrong, one row per region: points and scribbles, prediction, truth.

    Args:
        cases: of each the title, the sample, its annotations, its prediction (H, W), and the number of the region.
    """
    rows = []
    for title, sample, annotations, prediction, region in cases:
        colours = np.full((len(sample.classes), 3), 110, np.uint8)
        colours[region] = (255, 140, 0)
        marked = sample.image.copy()
        _mark_points(marked, annotations.extreme_points[region : region + 1], colours[region : region + 1])
        for scribble in annotations.scribbles:
            if scribble.region == region:
                path = np.rint(scribble.points).astype(np.int32)[:, None]
                cv2.polylines(marked, [path], False, colours[region].tolist(), 3, cv2.LINE_AA)
        truth = sample.region_map
        panels = [
            overlay(sample.image, regions, colours) for regions in (_void_as_background(truth, prediction), truth)
        ]
        row = _row([marked, *panels])
        step = (row.width + MARGIN) // 3
        names = [(step * k, name) for k, name in enumerate(("points and scribbles", "prediction", "truth"))]
        rows.append(titled(row, [[(0, title)], names]))
    return stacked(rows)
