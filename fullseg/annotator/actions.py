"""The actions that a person can do on one image. The browser sends them and the journal keeps them in this form."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

LONGEST_STROKE = 20_000  # points of one stroke
MOST_STROKES = 1_000  # strokes of one action
MOST_REGIONS = 1_000  # regions of one image
LONGEST_NAME = 200  # characters of a region's or class's name
LONGEST_MASK = 1_000_000  # characters of an encoded mask
LARGEST_BRUSH = 2_000  # px of the image file
LARGEST_LOOSE = 1_000_000  # px of the image file: islands and holes below such a size can be cleaned

Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]  # (x, y) in pixels of the image as the network sees it
Path = Annotated[tuple[Point, ...], Field(min_length=1, max_length=LONGEST_STROKE)]
ExtremePoints = tuple[Point, Point, Point, Point]  # left, top, right, bottom
RegionId = Annotated[int, Field(ge=1, le=2**31)]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
CategoryId = Annotated[int, Field(ge=0, le=2**31)]
Mask = Annotated[str, Field(max_length=LONGEST_MASK)]  # the text that ``segmentation.encode_mask`` makes of pixels


class ActionError(ValueError):
    """An action that cannot be done: it is malformed, or its region does not exist."""


def is_text(name: str) -> bool:
    """Return whether a name can be written as UTF-8. File names of other bytes and lone surrogates cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stroke(_Action):
    """One scribble: of a region, or over pixels that are of no region."""

    region: RegionId | None
    points: Path


class Patch(_Action):
    """Some pixels that are given to a region, or to none."""

    region: RegionId | None
    size: tuple[int, int] | None  # (H, W) of the image to whose pixels ``box`` refers; None: the image file
    box: tuple[int, int, int, int] | None  # (x0, y0, x1, y1) of the mask; None: the whole image
    mask: Mask


Patches = Annotated[tuple[Patch, ...], Field(max_length=MOST_REGIONS + 1)]


class _Keeping(_Action):
    kept: Patches = ()  # set by the server: the action changes kept pixels so; what a browser sends is ignored


class Add(_Keeping):
    """Mark a new region by its extreme points."""

    kind: Literal["add"] = "add"
    points: ExtremePoints
    name: Name = ""
    category: CategoryId | None = None


class Box(_Action):
    """Mark a new region by a box around it. The server makes an ``Add`` of it before it is in the journal."""

    kind: Literal["box"] = "box"
    corners: tuple[Point, Point]  # any two that are opposite
    name: Name = ""
    category: CategoryId | None = None


class Move(_Keeping):
    """Give a region other extreme points."""

    kind: Literal["move"] = "move"
    region: RegionId
    points: ExtremePoints


class Scribbles(_Keeping):
    """Correct with one stroke, or with several that were collected."""

    kind: Literal["scribbles"] = "scribbles"
    strokes: Annotated[tuple[Stroke, ...], Field(min_length=1, max_length=MOST_STROKES)]


class Brush(_Action):
    """Give a region the pixels along a path, or take them from it."""

    kind: Literal["brush"] = "brush"
    region: RegionId
    points: Path
    width: Annotated[float, Field(ge=1, le=LARGEST_BRUSH, allow_inf_nan=False)]  # px of the image file
    erase: bool = False


class Polygon(_Action):
    """Give a region the pixels inside a polygon."""

    kind: Literal["polygon"] = "polygon"
    region: RegionId
    points: Annotated[tuple[Point, ...], Field(min_length=3, max_length=LONGEST_STROKE)]


class Hole(_Action):
    """Give a hole or an island to the region around it."""

    kind: Literal["hole"] = "hole"
    at: Point  # in the hole
    patch: Patch | None = None  # set by the server


class Clean(_Action):
    """Give all islands and holes below a size to the regions around them."""

    kind: Literal["clean"] = "clean"
    below: Annotated[int, Field(ge=1, le=LARGEST_LOOSE)]  # px of the image file
    patches: Patches = ()  # set by the server


class Delete(_Action):
    """Delete a region."""

    kind: Literal["delete"] = "delete"
    region: RegionId


class Merge(_Keeping):
    """Merge ``other`` into ``region``, which keeps its name and class."""

    kind: Literal["merge"] = "merge"
    region: RegionId
    other: RegionId


class Describe(_Action):
    """Rename a region, or give it a class."""

    kind: Literal["describe"] = "describe"
    region: RegionId
    name: Name
    category: CategoryId | None


class Reorder(_Action):
    """List the regions in another order."""

    kind: Literal["reorder"] = "reorder"
    order: Annotated[tuple[RegionId, ...], Field(max_length=MOST_REGIONS)]


class Lock(_Action):
    """Keep a region's pixels as they are, bit for bit."""

    kind: Literal["lock"] = "lock"
    region: RegionId
    mask: Mask | None = None  # set by the server to the region's pixels; a mask from a browser is ignored
    full_mask: Mask | None = None  # likewise at the size of the image file; None: that is the size of ``mask``


class Unlock(_Action):
    """Unlock a region."""

    kind: Literal["unlock"] = "unlock"
    region: RegionId


class Fill(_Action):
    """Give pixels that no region's box covers to the nearest region (``filled``), or make them VOID again."""

    kind: Literal["fill"] = "fill"
    filled: bool


class Finish(_Action):
    """Mark the image as done, or as not done."""

    kind: Literal["finish"] = "finish"
    done: bool


class Undo(_Action):
    """Undo the last action."""

    kind: Literal["undo"] = "undo"


class Redo(_Action):
    """Redo the action that was undone last."""

    kind: Literal["redo"] = "redo"


class Imported(_Action):
    """One region of an imported partition."""

    points: ExtremePoints
    name: Name = ""
    category: CategoryId | None = None
    mask: Mask
    full_mask: Mask | None = None  # at the size of the image file; None: that is the size of ``mask``


class Import(_Action):
    """Replace all regions by those of a file, locked. Only the server makes this action."""

    kind: Literal["import"] = "import"
    regions: Annotated[tuple[Imported, ...], Field(max_length=MOST_REGIONS)]
    void: Mask | None = None  # pixels of the image file without a region; None (version 0.1.0): unlocking keeps nothing


_Drawn = Add | Box | Move | Scribbles | Brush | Polygon | Hole | Clean
_Listed = Delete | Merge | Describe | Reorder | Lock | Unlock | Fill | Finish | Undo | Redo | Import
Action = Annotated[_Drawn | _Listed, Field(discriminator="kind")]
_ACTION: TypeAdapter[Any] = TypeAdapter(Action)


def read_action(content: object) -> Action:
    """Check an action from a browser or from the journal.

    Args:
        content: the action's ``kind`` and fields as plain values.

    Raises:
        ActionError: if a field is wrong. The message names it and says why.
    """
    try:
        action: Action = _ACTION.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the action"
        raise ActionError(f"{place}: {first['msg']}") from error
    return action
