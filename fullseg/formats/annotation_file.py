"""The annotations of one image as a JSON file.

``{"regions": [{"extreme_points": [[x, y], [x, y], [x, y], [x, y]], "scribbles": [[[x, y], ...], ...]}, ...],
"scribbles": [[[x, y], ...], ...]}``

Points are in pixels of the image. The extreme points are in the order left, top, right, bottom. ``scribbles`` may be
missing; those outside of ``regions`` say what is of none of the regions. Other keys are ignored.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fullseg.errors import DataError
from fullseg.formats.atomic import write_text
from fullseg.types import BACKGROUND, Annotations, Scribble


def read_annotations(path: Path) -> Annotations:
    """Read the annotations of N regions.

    Returns:
        Extreme points (N, 4, 2) float32, and the scribbles in the order of the regions, those of BACKGROUND last.

    Raises:
        DataError: if the file is missing or not as described above. The message names the file and the region.
    """
    if not path.is_file():
        raise DataError(f"no annotations file {path}")
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("regions"), list):
        raise DataError(f'{path}: expected {{"regions": [...]}}')
    points, scribbles = np.zeros((len(content["regions"]), 4, 2), np.float32), []
    for number, region in enumerate(content["regions"]):
        where = f"{path}: region {number}"
        strokes = region.get("scribbles", []) if isinstance(region, dict) else None
        if not isinstance(strokes, list):
            raise DataError(f'{where}: expected {{"extreme_points": [...], "scribbles": [...]}}')
        points[number] = _points(region.get("extreme_points"), f"{where}: extreme_points", 4)
        scribbles += [Scribble(number, _points(stroke, f"{where}: scribble", None)) for stroke in strokes]
    strokes = content.get("scribbles", [])
    if not isinstance(strokes, list):
        raise DataError(f"{path}: scribbles: expected a list of [[x, y], ...], found {strokes!r}")
    scribbles += [Scribble(BACKGROUND, _points(stroke, f"{path}: scribble of no region", None)) for stroke in strokes]
    return Annotations(points, scribbles)


def write_annotations(path: Path, annotations: Annotations) -> None:
    """Write the annotations of one image. After an error there is no file, or the old one."""
    regions = [{"extreme_points": quad.tolist(), "scribbles": []} for quad in annotations.extreme_points]
    of_none: list[Any] = []
    for scribble in annotations.scribbles:
        strokes = of_none if scribble.region == BACKGROUND else regions[scribble.region]["scribbles"]
        strokes.append(scribble.points.tolist())
    write_text(path, json.dumps({"regions": regions, **({"scribbles": of_none} if of_none else {})}))


def _points(value: Any, what: str, count: int | None) -> np.ndarray[Any, np.dtype[np.float32]]:  # noqa: ANN401  JSON
    """Return ``count`` points, or one or more if that is None, as (K, 2) float32; DataError says ``what`` is wrong."""
    try:
        points = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}: expected a list of [x, y], found {value!r}") from error
    if points.ndim != 2 or points.shape[1:] != (2,) or len(points) != (count or len(points)) or len(points) == 0:
        raise DataError(f"{what}: expected {count or 'one or more'} points [x, y], found {value!r}")
    if not (np.abs(points) <= np.finfo(np.float32).max).all():  # NaN is not
        raise DataError(f"{what}: expected finite numbers, found {value!r}")
    return points.astype(np.float32)
