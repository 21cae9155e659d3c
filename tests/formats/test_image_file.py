"""The one reader of images: every kind is read correctly, or refused with a reason."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fullseg.errors import ImageError
from fullseg.formats import image_file
from fullseg.formats.image_file import enlarge, read_image, shrink, size_of
from fullseg.types import VOID

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [0, 0, 0], [255, 255, 0]]], np.uint8)


def test_plain_images_are_read_exactly(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "a.tif"):
        Image.fromarray(COLOURS).save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name), COLOURS)


@pytest.mark.parametrize(("orientation", "turned"), [(3, COLOURS[::-1, ::-1]), (6, np.rot90(COLOURS, -1))])
def test_exif_orientation_is_followed(tmp_path: Path, orientation: int, turned: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), turned)


def test_grey_palette_and_cmyk_become_rgb(tmp_path: Path) -> None:
    grey = np.array([[0, 100, 255]], np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    Image.fromarray(COLOURS).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), COLOURS)
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "cmyk.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "cmyk.tif"), COLOURS)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    rgba = np.dstack([COLOURS, np.array([[255, 0, 255], [0, 255, 0]], np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    expected = np.where(rgba[..., 3:] == 0, 255, COLOURS)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_16_bits_use_the_whole_range(tmp_path: Path) -> None:
    Image.fromarray(np.array([[1000, 2000, 3000]], np.uint16)).save(tmp_path / "a.png")  # 12 bits
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 128, 255]
    Image.fromarray(np.full((2, 2), 7, np.uint16)).save(tmp_path / "flat.png")
    assert read_image(tmp_path / "flat.png").max() == 0
    Image.fromarray(np.array([[0.5, np.nan, 1.5]], np.float32)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, :, 1].tolist() == [0, 0, 255]


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    Image.fromarray(COLOURS[:1, :1]).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 0, 0]]]


def test_what_cannot_be_read_is_refused_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ImageError, match=r"text.png is not an image that can be read"):
        read_image(tmp_path / "text.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:4000])
    with pytest.raises(ImageError, match=r"half.png cannot be read .*truncated"):
        read_image(tmp_path / "half.png")
    monkeypatch.setattr(image_file, "MOST_PIXELS", 1000)
    with pytest.raises(ImageError, match=r"whole.png has 64 x 64 pixels, more than 1,000: make it smaller"):
        read_image(tmp_path / "whole.png")


TURNED = {  # by EXIF orientation: how a person sees pixels that are stored as they are
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels.transpose(1, 0, 2), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_labels_of_stored_pixels_and_of_upright_ones_both_fit(suffix: str, orientation: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.kron(COLOURS, np.ones((16, 16, 1), np.uint8))  # 32 x 48 px: blocks that a JPEG keeps
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(stored).save(path, exif=exif, **options)
    upright = np.ascontiguousarray(TURNED[orientation](stored))

    for size in (None, upright.shape[:2]):
        assert size_of(path, size) == upright.shape[:2]
        assert np.abs(read_image(path, size).astype(int) - upright).mean() < 8
    if orientation >= 5 and suffix != "tif":  # of an image that only its stored pixels fit; Pillow turns a TIFF
        assert size_of(path, stored.shape[:2]) == stored.shape[:2]
        assert np.abs(read_image(path, stored.shape[:2]).astype(int) - stored).mean() < 8


@pytest.mark.parametrize(
    ("size", "expected"), [((30, 40), (30, 40)), ((2048, 1024), (1024, 512)), ((1, 5000), (1, 1024))]
)
def test_the_network_sees_at_most_1024_px(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shrink(np.zeros((*size, 3), np.uint8)).shape == (*expected, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_an_enlarged_map_is_the_map_at_every_pixel(height: int, width: int, factor: int, seed: int) -> None:
    region_map = np.random.default_rng(seed).integers(VOID, 9, (height, width))
    larger = enlarge(region_map, (factor * height, factor * width))
    np.testing.assert_array_equal(larger, region_map.repeat(factor, axis=0).repeat(factor, axis=1))
