"""Files that are written whole or not at all."""

import json
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a file under another name first, so that a reader finds the old one or the new one, never a part."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that a person can read, likewise."""
    write_text(path, json.dumps(content, indent=1))
