"""Procedural scenes, the embedded data set: textured things in front of textured stuff, as COCO panoptic.

The class of a thing is the family of its shape. The class of stuff is the family of its texture. Things have the same
textures as stuff, and each scene has one small palette, so neither colour nor texture alone tells regions apart.
"""

import colorsys
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.data.progress import with_progress
from fullseg.formats.coco_writer import NewSample, import_coco_panoptic
from fullseg.types import VOID, Category

HEIGHTS, WIDTHS = (124, 164), (168, 216)  # px, smallest and largest
THINGS = (4, 24)  # fewest and most that are painted; some are hidden by others
MIN_PART_AREA = 30  # px^2; smaller visible parts are VOID: nobody could click four extreme points on them
MIN_REGIONS = 4
Field = NDArray[np.float32]
Pixels = NDArray[np.bool_]
RegionMap = NDArray[np.int64]
Classes = NDArray[np.int64]
Palette = NDArray[np.float64]  # (5, 3) RGB in [0, 1]
Contours = list[NDArray[np.complex128]]  # x + iy, both about in [-1, 1]; a contour inside another one is a hole
Size = tuple[int, int]


class Scene(NamedTuple):
    """One generated image with its partition into N regions."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    region_map: NDArray[np.int64]  # (H, W), region in [0, N) or VOID
    classes: NDArray[np.int64]  # (N,), position in SCENE_CATEGORIES


def generate_scene(rng: np.random.Generator) -> Scene:
    """Generate one scene: up to 6 stuff regions, then things that occlude one another, some of them VOID.

    Returns:
        A scene of 124 to 164 x 168 to 216 px (H x W), 4 <= N <= 30. Every part of a region has at least 30 px.
    """
    while True:
        size = int(rng.integers(*HEIGHTS, endpoint=True)), int(rng.integers(*WIDTHS, endpoint=True))
        hues = (rng.random() + rng.normal(0, 0.2, 5)) % 1  # similar, so that neighbours have similar colours
        palette = np.array([colorsys.hsv_to_rgb(h, rng.uniform(0.15, 0.7), rng.uniform(0.4, 0.9)) for h in hues])
        region_map = _partition_into_stuff(rng, size)
        families = rng.permutation(len(TEXTURES))[: region_map.max() + 1]  # at most one region per stuff class
        image = np.zeros((*size, 3), np.float32)
        for region, family in enumerate(families):
            image[region_map == region] = _textured(rng, list(TEXTURES)[family], palette, size)[region_map == region]
        classes = np.concatenate([len(SHAPES) + families, _paint_things(rng, image, region_map, palette)])
        region_map, classes = _drop_small_parts(region_map, classes)
        if len(classes) >= MIN_REGIONS:
            return Scene(_photograph(rng, image), region_map, classes)


def write_scenes(out: Path, *, train: int, val: int, seed: int, exist_ok: bool = False) -> None:
    """Generate the training and the evaluation split and write them as COCO panoptic.

    Args:
        out: gets the folders ``train`` and ``val``; DataError if one exists.
        train: number of training scenes.
        val: number of evaluation scenes.
        seed: scene k of split s (0: train, 1: val) is a function of (seed, s, k) alone.
        exist_ok: leave a split that exists as it is.
    """
    for number, (split, count) in enumerate({"train": train, "val": val}.items()):
        samples = (
            NewSample(f"{split}_{k:05d}.png", *generate_scene(np.random.default_rng((seed, number, k))))
            for k in with_progress(range(count), f"scenes, {split}", count)
        )
        import_coco_panoptic(out / split, SCENE_CATEGORIES, samples, exist_ok=exist_ok)


def _partition_into_stuff(rng: np.random.Generator, size: Size) -> RegionMap:
    """Return a map (H, W) of regions in [0, K), K <= 6: layers from top to bottom, or cells; some with a path."""
    y, x = np.mgrid[: size[0], : size[1]] / size[0]
    y = y + rng.uniform(0.1, 0.5) * _noise(rng, size, 35, 35) + 0.04 * _noise(rng, size, 7, 7)
    x = x + rng.uniform(0.1, 0.5) * _noise(rng, size, 35, 35)
    count = int(rng.integers(2, 6))
    if rng.random() < 0.6:
        depth = y + rng.normal(0, 0.25) * x
        cuts = (np.arange(1, count) + rng.uniform(-0.35, 0.35, count - 1)) / count
        region_map = np.searchsorted(np.quantile(depth, cuts), depth)
    else:
        cells = rng.uniform(0, [1.25, 1.75], (count, 2))
        region_map = np.argmin([(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in cells], axis=0)
    if rng.random() < 0.5:
        slope = rng.normal(0, 1)
        off_path = np.abs(x - rng.uniform(0.4, 1.2) + slope * (y - 0.5))
        region_map[off_path < rng.uniform(0.03, 0.1) * (0.4 + y) * np.hypot(1, slope)] = (
            count  # it is wider at the bottom, which is nearer
        )
    return np.unique(region_map, return_inverse=True)[1].reshape(size).astype(np.int64)  # a cell may have no pixel


def _paint_things(rng: np.random.Generator, image: Field, region_map: RegionMap, palette: Palette) -> Classes:
    """Paint things into image and region map, from back to front. Return the classes of all, also of hidden ones."""
    height, width = region_map.shape
    first, across = int(region_map.max()) + 1, 0.5
    feet = np.sort(rng.uniform(0.05, 1, rng.integers(*THINGS, endpoint=True)))
    families = rng.integers(len(SHAPES), size=len(feet))
    for k, foot in enumerate(feet):  # lower in the image means nearer: painted later, and larger
        # A third of the things stand in front of the previous one, so that boxes lie inside boxes.
        across = across + rng.normal(0, 0.04) if rng.random() < 0.33 else rng.uniform(0, 1)
        reach = height * np.exp(rng.uniform(np.log(0.09), np.log(0.36))) * (0.6 + 0.7 * foot)
        contours = list(SHAPES.values())[families[k]](rng)
        here = _filled(rng, contours, reach, complex(across * width, foot * height), region_map.shape)
        x, y, box_width, box_height = cv2.boundingRect(here.astype(np.uint8))
        near = np.s_[max(y - 8, 0) : y + box_height + 8, max(x - 8, 0) : x + box_width + 8]  # room for the shadow
        _paint(rng, image[near], here[near], _textured(rng, str(rng.choice(list(TEXTURES))), palette, here[near].shape))
        region_map[here] = first + k
    if rng.random() < 0.3:  # an unlabelled thing; it is far away, so it is small
        region_map[region_map == first + rng.integers(len(feet) // 3 + 1)] = VOID
    return families


def _filled(rng: np.random.Generator, contours: Contours, reach: float, centre: complex, size: Size) -> Pixels:
    """Return the pixels (H, W) inside contours that are squeezed and rotated at random and moved to the centre."""
    squeeze, turn = np.exp(rng.uniform(np.log(0.4), 0)), np.exp(1j * rng.uniform(0, 2 * np.pi))
    placed = [centre + reach * turn * (c.real + 1j * squeeze * c.imag) for c in contours]
    corners = [np.rint(16 * np.stack([c.real, c.imag], axis=1)).astype(np.int32) for c in placed]
    canvas = np.zeros(size, np.uint8)
    cv2.fillPoly(canvas, corners, 1, shift=4)  # even-odd rule: a contour inside another is a hole
    return canvas > 0


def _paint(rng: np.random.Generator, image: Field, here: Pixels, texture: Field) -> None:
    """Paint a thing and its shadow. The thing gets darker towards its border and towards the lower right."""
    image *= 1 - 0.5 * cv2.GaussianBlur(here.astype(np.float32), (0, 0), 2.5)[..., None]
    depth = cv2.distanceTransform(here.astype(np.uint8), cv2.DIST_L2, 3)  # px to the border
    diagonal = np.add(*np.mgrid[: here.shape[0], : here.shape[1]]) / sum(here.shape) - 0.5
    shade = (0.75 + 0.25 * np.minimum(depth / 4, 1)) * (1 - rng.uniform(0.1, 0.7) * diagonal)
    image[here] = (texture * shade[..., None])[here]


def _drop_small_parts(region_map: RegionMap, classes: Classes) -> tuple[RegionMap, Classes]:
    """Make visible parts smaller than ``MIN_PART_AREA`` VOID, and leave out regions that have no other part."""
    kept_map = np.full_like(region_map, VOID)
    for region in range(len(classes)):
        here = (region_map == region).astype(np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(here, connectivity=4)
        large = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= MIN_PART_AREA)
        kept_map[np.isin(parts, large)] = region
    kept = np.unique(kept_map[kept_map != VOID])
    return np.where(kept_map == VOID, VOID, np.searchsorted(kept, kept_map)), classes[kept]


def _photograph(rng: np.random.Generator, image: Field) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) as a camera would take it: with uneven light, slight blur and noise."""
    light = 0.7 + 0.6 * _noise(rng, image.shape[:2], 110, 150)
    blurred = cv2.GaussianBlur(image * light[..., None], (0, 0), rng.uniform(0.45, 0.8))
    noisy = blurred + rng.uniform(0.01, 0.03) * rng.standard_normal(image.shape, np.float32)
    return np.asarray(np.clip(np.rint(255 * noisy), 0, 255), np.uint8)


def _noise(rng: np.random.Generator, size: Size, cell_y: float, cell_x: float) -> Field:
    """Return smooth noise (H, W) in [0, 1] that varies over cells of the given size in pixels."""
    rows, columns = int(size[0] / cell_y) + 3, int(size[1] / cell_x) + 3
    grid = rng.random((rows, columns), dtype=np.float32)
    wide = cv2.resize(grid, (int(columns * cell_x), int(rows * cell_y)), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(wide[: size[0], : size[1]], 0, 1), np.float32)


def _textured(rng: np.random.Generator, family: str, palette: Palette, size: Size) -> Field:
    """Return a texture (H, W, 3), RGB in [0, 1], of two colours, slightly rotated and bent."""
    first, second = palette[rng.choice(len(palette), 2, replace=False)]
    if rng.random() < 0.7:
        second = first * rng.choice([rng.uniform(0.5, 0.8), rng.uniform(1.2, 1.6)])
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle, period, bend = rng.normal(0, 0.35), rng.uniform(6, 15), rng.uniform(0, 10) * _noise(rng, size, 45, 45)
    turned_x = (x * math.cos(angle) + y * math.sin(angle) + bend) / period
    turned_y = (y * math.cos(angle) - x * math.sin(angle) + bend) / period
    tones = 0.8 * TEXTURES[family](rng, turned_x, turned_y) + 0.2 * _noise(rng, size, 18, 18)
    colours = np.clip(np.stack([first, second]) + rng.normal(0, 0.04, (2, 3)), 0.03, 0.97).astype(np.float32)
    return np.asarray(colours[0] + tones[..., None] * (colours[1] - colours[0]), np.float32)


def _bricks(rng: np.random.Generator, x: Field, y: Field) -> Field:
    column = x / 2 + 0.5 * (np.floor(y) % 2)
    tones = rng.random((16, 16), dtype=np.float32)[np.floor(y).astype(int) % 16, np.floor(column).astype(int) % 16]
    return np.where((y % 1 < 0.18) | (column % 1 < 0.09), 0, 0.55 + 0.45 * tones).astype(np.float32)


# Tones (H, W) in [0, 1], as functions of x and y (H, W), which are in periods of the pattern.
TEXTURES: dict[str, Callable[[np.random.Generator, Field, Field], Field]] = {
    "clouds": lambda rng, x, _: 0.65 * _noise(rng, x.shape, 24, 40) + 0.35 * _noise(rng, x.shape, 8, 14),
    "water": lambda rng, x, y: 0.5 + 0.5 * np.sin(2 * np.pi * y + 5 * _noise(rng, x.shape, 9, 22)),
    "tiles": lambda _, x, y: (np.floor(x) + np.floor(y)) % 2,
    "pebbles": lambda _, x, y: np.clip(3 - 6 * np.hypot((x + 0.5 * (np.floor(y) % 2)) % 1 - 0.5, y % 1 - 0.5), 0, 1),
    "bricks": _bricks,
    "wood": lambda rng, x, y: (0.7 * x + 0.1 * y + 2.5 * _noise(rng, x.shape, 40, 25)) % 1,
    "grass": lambda rng, x, _: 0.75 * _noise(rng, x.shape, 8, 1.7) + 0.25 * _noise(rng, x.shape, 14, 30),
    "sand": lambda rng, x, _: 0.5 * _noise(rng, x.shape, 1.5, 1.5) + 0.5 * _noise(rng, x.shape, 12, 40),
}


def _polar(radii: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(radii * np.exp(2j * np.pi * np.arange(len(radii)) / len(radii)), np.complex128)


def _blob(rng: np.random.Generator) -> Contours:
    waves, angles = np.arange(2, 6)[:, None], 2 * np.pi * np.arange(64) / 64
    heights = rng.uniform(0.2, 0.8, (4, 1)) / waves * np.cos(waves * angles + rng.uniform(0, 2 * np.pi, (4, 1)))
    return [_polar(0.7 * np.maximum(1 + heights.sum(axis=0), 0.25))]


def _crescent(rng: np.random.Generator) -> Contours:
    tip = np.exp(1j * rng.uniform(0.4, 0.9))
    circles = [(c, tip - c) for c in (0, rng.uniform(0.15, 0.4))]  # centre, and from there to the tip they share
    outer, inner = (c + abs(r) * np.exp(1j * np.linspace(np.angle(r), 2 * np.pi - np.angle(r), 32)) for c, r in circles)
    return [np.concatenate([outer, inner[::-1]])]


def _tube(rng: np.random.Generator) -> Contours:
    t = np.linspace(-1, 1, 48)
    heading = np.exp(1j * rng.uniform(0.6, 1.5) * np.sin(rng.uniform(2.5, 5.5) * t + rng.uniform(0, 2 * np.pi)))
    line = (np.cumsum(heading) - np.sum(heading) / 2) / 24
    across = 1j * heading * rng.uniform(0.07, 0.15) * (1 + rng.uniform(-0.5, 0.5) * t)
    return [np.concatenate([line + across, (line - across)[::-1]])]


def _ladder(rng: np.random.Generator) -> Contours:
    holes, bar, half = int(rng.integers(2, 5)), rng.uniform(0.1, 0.16), rng.uniform(0.4, 0.7)
    pitch, right, up = (2 - bar) / holes, np.array([0, 1, 1, 0]), 1j * np.array([-1, -1, 1, 1])
    gaps = [-1 + bar + k * pitch + (pitch - bar) * right + (half - bar) * up for k in range(holes)]
    return [-1 + 2 * right + half * up, *gaps]


SHAPES: dict[str, Callable[[np.random.Generator], Contours]] = {
    "ellipse": lambda _: [_polar(np.ones(48))],
    "polygon": lambda rng: [_polar(rng.uniform(0.6, 1, rng.integers(3, 7)))],
    "star": lambda rng: [_polar(np.tile([1, rng.uniform(0.25, 0.5)], rng.integers(4, 9)))],
    "blob": _blob,
    "crescent": _crescent,
    "tube": _tube,
    "ring": lambda rng: [_polar(np.ones(48)), _polar(np.full(48, rng.uniform(0.5, 0.8))) + rng.uniform(-0.15, 0.15)],
    "ladder": _ladder,
}
SCENE_CATEGORIES = tuple(
    Category(id=k, name=name, isthing=name in SHAPES) for k, name in enumerate([*SHAPES, *TEXTURES], start=1)
)
