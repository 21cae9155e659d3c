"""Procedural scenes: complete partitions, learnable classes, hard for boxes alone, the same for the same seed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

from fullseg.config.parts import Parts
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.scenes import SCENE_CATEGORIES, SHAPES, Scene, _drop_small_parts, generate_scene, write_scenes
from fullseg.types import VOID

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [generate_scene(np.random.default_rng((1, 1, k))) for k in range(32)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes")
    write_scenes(out, train=3, val=2, seed=5)
    return out


@few
@given(seeds)
def test_every_pixel_has_one_region_or_void_and_there_are_4_to_30_regions(seed: int) -> None:
    image, region_map, classes = generate_scene(np.random.default_rng(seed))

    assert image.dtype == np.uint8
    assert image.shape == (*region_map.shape, 3)
    assert 124 <= image.shape[0] <= 164
    assert 168 <= image.shape[1] <= 216
    assert region_map.dtype == classes.dtype == np.int64
    assert 4 <= len(classes) <= 30
    assert set(np.unique(region_map)) - {VOID} == set(range(len(classes)))
    assert np.mean(region_map == VOID) < 0.2


@few
@given(seeds)
def test_every_connected_part_of_a_region_has_30_px(seed: int) -> None:
    scene = generate_scene(np.random.default_rng(seed))

    for region in range(len(scene.classes)):
        parts, count = ndimage.label(scene.region_map == region)
        assert np.bincount(parts.ravel(), minlength=count + 1)[1:].min() >= 30


@few
@given(seeds)
def test_stuff_comes_first_and_a_stuff_class_once(seed: int) -> None:
    classes = generate_scene(np.random.default_rng(seed)).classes

    assert classes.min() >= 0
    assert classes.max() < len(SCENE_CATEGORIES)
    things = [SCENE_CATEGORIES[c].isthing for c in classes]
    assert things == sorted(things)
    stuff = classes[: things.count(False)]
    assert len(set(stuff)) == len(stuff)


def test_things_have_the_shape_that_their_class_names() -> None:
    rng = np.random.default_rng(0)
    holes = {name: {len(shape(rng)) - 1 for _ in range(30)} for name, shape in SHAPES.items()}
    solid = {name for name, counts in holes.items() if counts == {0}}

    assert solid == {"ellipse", "polygon", "star", "blob", "crescent", "tube"}
    assert holes["ring"] == {1}
    assert holes["ladder"] == {2, 3, 4}
    assert [c.name for c in SCENE_CATEGORIES if c.isthing] == list(SHAPES)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("ellipse", 0.99, 1.01),
        ("polygon", 0.99, 1.01),
        ("blob", 0.8, 0.995),
        ("star", 0.25, 0.75),
        ("crescent", 0.2, 0.65),
        ("tube", 0.3, 0.85),
    ],
)
def test_area_over_convex_hull_fits_the_shape_family(name: str, least: float, most: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        (contour,) = SHAPES[name](rng)
        assert np.abs(contour).max() < 2
        assert least <= _shoelace(contour) / _hull_area(contour) <= most


def test_regions_look_like_their_class(scenes: list[Scene]) -> None:
    shares: dict[str, list[float]] = {category.name: [] for category in SCENE_CATEGORIES}
    for scene in scenes:
        for region, c in enumerate(scene.classes):
            here = scene.region_map == region
            shares[SCENE_CATEGORIES[c].name].append(here.sum() / ndimage.binary_fill_holes(here).sum())
    holed = {name: np.mean(np.array(values) < 0.9) for name, values in shares.items()}

    assert min(holed["ring"], holed["ladder"]) > 0.2  # borders and nearer things cut many open
    assert max(holed[name] for name in ("ellipse", "polygon", "star", "blob", "crescent", "tube")) < 0.1


def test_a_scene_of_too_few_regions_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fullseg.data.scenes.MIN_REGIONS", 15)
    counts = [len(generate_scene(np.random.default_rng(seed)).classes) for seed in range(8)]

    assert min(counts) >= 15


def test_small_parts_become_void_and_the_classes_follow_the_regions() -> None:
    region_map = np.zeros((20, 20), np.int64)
    region_map[:5, :6] = 1  # 30 px: stays
    region_map[10:12, :6] = 1  # 12 px of a region that stays
    region_map[19, :] = 2  # 20 px: vanishes
    region_map[:, 15:] = 3
    kept_map, classes = _drop_small_parts(region_map, np.array([9, 4, 5, 6]))

    expected = np.select([region_map == 3, region_map == 2], [2, VOID], region_map)
    expected[10:12, :6] = VOID
    np.testing.assert_array_equal(kept_map, expected)
    assert classes.tolist() == [9, 4, 6]


def test_all_classes_and_void_occur(scenes: list[Scene]) -> None:
    assert {int(c) for scene in scenes for c in scene.classes} == set(range(len(SCENE_CATEGORIES)))
    assert any((scene.region_map == VOID).any() for scene in scenes)
    assert len({scene.image.shape for scene in scenes}) > len(scenes) // 2
    assert any(scene.image.shape[0] % 2 and scene.image.shape[1] % 2 for scene in scenes)


def test_boxes_alone_do_not_solve_the_scenes(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(0)
    boxes, chance = [], []
    for scene in scenes:
        n = len(scene.classes)
        boxes.extend(_ious(_fill_boxes(scene.region_map, n), scene.region_map, n))
        chance.extend(_ious(rng.integers(n, size=scene.region_map.shape), scene.region_map, n))

    assert np.mean(chance) < 0.06
    assert 0.3 < np.mean(boxes) < 0.55


def test_the_mean_colour_of_the_regions_does_not_solve_the_scenes(scenes: list[Scene]) -> None:
    ious = []
    for scene in scenes:
        n = len(scene.classes)
        means = np.array([scene.image[scene.region_map == region].mean(axis=0) for region in range(n)])
        distance = np.abs(scene.image[:, :, None] - means).sum(axis=-1)  # (H, W, N)
        ious.extend(_ious(distance.argmin(axis=-1), scene.region_map, n))

    assert np.mean(ious) < 0.35


def test_borders_are_visible_as_edges(scenes: list[Scene]) -> None:
    steps_across, steps_within = [], []
    for scene in scenes:
        step = np.abs(np.diff(scene.image.astype(float), axis=1)).sum(axis=-1)
        left, right = scene.region_map[:, :-1], scene.region_map[:, 1:]
        steps_across.extend(step[left != right])
        steps_within.extend(step[left == right])

    assert np.median(steps_across) > 1.5 * np.median(steps_within)


def test_same_seed_same_bytes_other_seed_other_image(written: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "same", train=3, val=2, seed=5)
    write_scenes(tmp_path / "other", train=1, val=1, seed=6)

    files, same = (
        sorted(path.relative_to(folder) for path in folder.rglob("*.*") if path.suffix != ".lock")
        for folder in (written, tmp_path / "same")
    )
    assert len(files) == 2 * (3 + 2) + 2
    assert files == same
    for file in files:
        assert (written / file).read_bytes() == (tmp_path / "same" / file).read_bytes(), file
    folders = (written / "train", written / "val", tmp_path / "other" / "train")
    images = [min((folder / "images").iterdir()) for folder in folders]
    assert len({image.read_bytes() for image in images}) == 3  # neither the seed nor the split is ignored


def test_a_scene_does_not_depend_on_how_many_there_are(written: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path, train=1, val=0, seed=5)

    (image,) = (tmp_path / "train" / "images").iterdir()
    assert image.read_bytes() == (written / "train" / "images" / image.name).read_bytes()


@pytest.mark.parametrize(("split", "count"), [("train", 3), ("val", 2)])
def test_files_are_coco_panoptic_with_ids_and_areas_of_the_png(written: Path, split: str, count: int) -> None:
    content = json.loads((written / split / "panoptic.json").read_text())

    assert len(content["images"]) == len(content["annotations"]) == count
    category_ids = [category["id"] for category in content["categories"]]
    assert len(set(category_ids)) == len(category_ids) == len(SCENE_CATEGORIES)
    for annotation in content["annotations"]:
        r, g, b = np.moveaxis(np.array(Image.open(written / split / "panoptic" / annotation["file_name"])), -1, 0)
        ids, areas = np.unique(r.astype(int) + 256 * g.astype(int) + 65536 * b.astype(int), return_counts=True)
        segments = {s["id"]: s["area"] for s in annotation["segments_info"]}
        assert len(segments) == len(annotation["segments_info"])
        assert segments == {i: a for i, a in zip(ids.tolist(), areas.tolist(), strict=True) if i != 0}
        assert {s["category_id"] for s in annotation["segments_info"]} <= set(category_ids)


def test_what_is_read_back_is_the_generated_scene(written: Path, tmp_path: Path) -> None:
    data = CocoPanoptic(
        written, "val", cache=tmp_path, annotators="median", fraction=Parts(1, 1, 1), max_regions=30, skip_bad=False
    )

    assert data.categories == SCENE_CATEGORIES
    for k in range(2):
        expected = generate_scene(np.random.default_rng((5, 1, k)))
        np.testing.assert_array_equal(data[k].image, expected.image)
        np.testing.assert_array_equal(data[k].region_map, expected.region_map)
        np.testing.assert_array_equal(data[k].classes, expected.classes)


def _fill_boxes(region_map: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Give every pixel to the region of the smallest tight box that covers it."""
    best = np.full(region_map.shape, np.inf)
    filled = np.full(region_map.shape, VOID)
    for region in range(n):
        ys, xs = np.nonzero(region_map == region)
        box = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        area = best[box].size
        filled[box] = np.where(area < best[box], region, filled[box])
        best[box] = np.minimum(best[box], area)
    return filled


def _ious(prediction: NDArray[np.int64], truth: NDArray[np.int64], n: int) -> list[float]:
    scored = truth != VOID
    pairs = [(scored & (prediction == region), truth == region) for region in range(n)]
    return [float((p & t).sum() / (p | t).sum()) for p, t in pairs]


def _shoelace(contour: NDArray[np.complex128]) -> float:
    return float(abs((contour.conj() * np.roll(contour, -1)).imag.sum()) / 2)


def _hull_area(contour: NDArray[np.complex128]) -> float:
    return float(ConvexHull(np.stack([contour.real, contour.imag], axis=1)).volume)
