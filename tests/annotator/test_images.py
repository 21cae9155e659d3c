"""Reading images for a person: every kind is shown correctly, or refused with a reason."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullseg.annotator import images
from fullseg.annotator.images import ImageError, for_browser, list_images, read_image, read_thumbnail, shrink
from fullseg.errors import DataError

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
    with pytest.raises(ImageError, match=r"half.png cannot be read: .*truncated"):
        read_image(tmp_path / "half.png")
    monkeypatch.setattr(images, "MOST_PIXELS", 1000)
    with pytest.raises(ImageError, match=r"whole.png has 64 x 64 pixels, more than 1,000: make it smaller"):
        read_image(tmp_path / "whole.png")


def save_jpeg(path: Path, mode: str, orientation: int | None) -> None:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    smooth = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)
    Image.fromarray(smooth).convert(mode).save(path, exif=exif, quality=95)


@pytest.mark.parametrize(
    ("mode", "orientation", "kind"),
    [("RGB", None, "jpeg"), ("RGB", 1, "jpeg"), ("L", None, "jpeg"), ("RGB", 6, "png"), ("CMYK", None, "png")],
)
def test_the_browser_gets_what_the_network_sees(tmp_path: Path, mode: str, orientation: int | None, kind: str) -> None:
    save_jpeg(tmp_path / "a.jpg", mode, orientation)
    body, media_type = for_browser(tmp_path / "a.jpg")
    assert media_type == f"image/{kind}"
    assert (body == (tmp_path / "a.jpg").read_bytes()) == (kind == "jpeg")
    shown = np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))
    np.testing.assert_array_equal(shown, read_image(tmp_path / "a.jpg"))


def test_a_broken_jpeg_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "a.jpg", "RGB", None)
    (tmp_path / "half.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:500])
    with pytest.raises(ImageError, match=r"half.jpg cannot be read: .*[Tt]runcated"):
        for_browser(tmp_path / "half.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_thumbnail_is_the_image_but_small(tmp_path: Path, name: str) -> None:
    smooth = np.add.outer(np.arange(600), np.arange(900)) * 255 // 1500
    Image.fromarray(smooth.astype(np.uint8)).convert("RGB").save(tmp_path / name)
    small = read_thumbnail(tmp_path / name, 90)
    assert small.shape == (60, 90, 3)
    expected = np.asarray(Image.fromarray(smooth.astype(np.uint8)).resize((90, 60), Image.Resampling.BOX), np.int64)
    assert np.abs(small[..., 0] - expected).max() <= 3


def test_a_folder_is_listed_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/er/c.tiff", ".hidden/d.png", ".e.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "out.png").symlink_to(__file__)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / os.fsdecode(b"\xff.png")).touch()
    assert list_images(tmp_path) == ["a.png", "b.JPG", "deep/er/c.tiff"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        list_images(tmp_path / "empty")
    with pytest.raises(DataError, match="no folder"):
        list_images(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("size", "expected"), [((30, 40), (30, 40)), ((2048, 1024), (1024, 512)), ((1, 5000), (1, 1024))]
)
def test_the_network_sees_at_most_1024_px(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shrink(np.zeros((*size, 3), np.uint8)).shape == (*expected, 3)
