"""The models that an annotator offers to switch to."""

from typing import NamedTuple


class Choice(NamedTuple):
    """One model, and what is known of it without loading it."""

    name: str  # as the user calls it
    checkpoint: str  # its file
    about: str = ""  # one line: what it was trained on
    by_strokes: bool | None = None  # whether strokes were part of its training; None: unknown
    eta: float | None = None  # part of an error that its stroke mends, as a study has measured it
    scribbles: tuple[float, ...] = ()  # per region, of the curve below
    iou: tuple[float, ...] = ()  # mean IoU after so many scribbles per region, as a study has measured it
    measured_on: str = ""  # the data of this study
