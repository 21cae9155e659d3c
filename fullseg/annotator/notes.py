"""What a person notes about an image, apart from the work on it: whether it is skipped or flagged, and a comment."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fullseg.annotator.actions import ActionError, is_text

LONGEST_COMMENT = 2_000  # characters


class Note(NamedTuple):
    """The newest note about one image."""

    skipped: bool = False  # left out for now
    flagged: bool = False  # somebody should look at it
    comment: str = ""


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    skipped: bool | None = None
    flagged: bool | None = None
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT)] | None = None


def changed(note: Note, content: dict[str, Any]) -> Note:
    """Return a note with the fields that a request names; raise ActionError if a field is wrong."""
    try:
        change = _Change.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ActionError(f"note: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if change.comment is not None and not is_text(change.comment):
        raise ActionError("note: comment: it is not valid Unicode text")
    return note._replace(**change.model_dump(exclude_none=True))
