"""Changes of a typed-in class: it is renamed, merged into another one, or removed, in all images and all exports."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fullseg.annotator.actions import ActionError
from fullseg.annotator.export import EXPORT, PARTS
from fullseg.annotator.workspace import Workspace
from fullseg.formats.atomic import write_json


def rename(workspace: Workspace, category: int, name: str) -> None:
    """Give a typed-in category another name; raise ActionError if it cannot have it."""
    workspace.categories.rename(category, name)
    workspace.take_categories()


def merge(workspace: Workspace, category: int, into: int) -> None:
    """Let another category take the place of a typed-in one; raise ActionError if it cannot."""
    workspace.categories.merge(category, into)
    for path, part in _parts(workspace.out):
        found = [one for one in (*part["segments_info"], *part["instances"]) if one["category_id"] == category]
        for one in found:
            one["category_id"] = into
        if found:
            write_json(path, part, indent=None)
    workspace.take_categories()


def remove(workspace: Workspace, category: int) -> None:
    """Remove a typed-in category.

    Raises:
        ActionError: if it was not typed in, or if a region of an image or of an export has it.
    """
    exported = [
        part["file_name"]
        for _, part in _parts(workspace.out)
        if category in {one["category_id"] for one in part["segments_info"]}
    ]
    names = sorted({*workspace.images_with(category), *exported})
    if names:
        images = f"{names[0]} and {len(names) - 1} more images" if len(names) > 1 else names[0]
        raise ActionError(f"category {category}: regions of {images} have it: give them another class, or merge it")
    workspace.categories.remove(category)
    workspace.take_categories()


def _parts(out: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the exported part of each image with its path. Parts that cannot be read are left as they are."""
    for path in sorted((out / EXPORT / PARTS).rglob("*.json")):
        try:
            part = json.loads(path.read_text(encoding="utf-8"))
            json.dumps([one["category_id"] for one in (*part["segments_info"], *part["instances"])])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        yield path, part
