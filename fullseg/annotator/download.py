"""All exports of an annotator as one zip file."""

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from fullseg.annotator.export import EXPORT
from fullseg.errors import DataError
from fullseg.formats.atomic import PARTIAL

STORED = (".png",)  # compressed already


def exported_files(out: Path) -> list[Path]:
    """Return all files of the exports; raise DataError if there are none."""
    walked = os.walk(out / EXPORT)
    files = sorted(Path(parent, name) for parent, _, names in walked for name in names if not name.startswith(PARTIAL))
    if not files:
        raise DataError("nothing was exported yet: mark an image as done, or export it")
    return files


def zip_exports(out: Path) -> tuple[Path, Callable[[], None]]:
    """Write a zip file of all exports to a place for a while; return it and what removes it.

    Args:
        out: the annotator's output.

    Raises:
        DataError: if nothing was exported.
    """
    files = exported_files(out)
    handle, name = tempfile.mkstemp(".zip", PARTIAL, out)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for one in files:
                kind = zipfile.ZIP_STORED if one.suffix in STORED else zipfile.ZIP_DEFLATED
                archive.write(one, one.relative_to(out), kind)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path, lambda: path.unlink(missing_ok=True)
