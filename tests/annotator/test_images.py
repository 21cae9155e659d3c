"""The images of a folder for the page: all are listed, and shown as the network sees them."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullseg.annotator.images import for_browser, list_images, read_thumbnail
from fullseg.errors import DataError, ImageError
from fullseg.formats.image_file import read_image


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
    with pytest.raises(ImageError, match=r"half.jpg cannot be read .*[Tt]runcated"):
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
