"""What a stage's number was made with: the provenance that its run has recorded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fullseg.paper.stages import Plan, part_of
from fullseg.runs.provenance import read_environment
from fullseg.sweeps.cell_folder import read_result
from fullseg.sweeps.cells import Cell


def facts_of(folder: Path) -> dict[str, Any]:
    """Return the provenance of a stage: of its study, or of its training; empty if it is not done.

    Args:
        folder: of the stage.
    """
    result = read_result(folder)
    if result is None:
        return {}
    strategies = list((result["study"] or {"strategies": {}})["strategies"].values())
    if strategies:
        return dict(strategies[0].get("provenance", {}))
    path = Path(result["folder"]) / "environment.txt"
    return dict(read_environment(path).facts) if path.is_file() else {}


def evaluation_hashes(plan: Plan, cells: Sequence[Cell]) -> dict[str, str]:
    """Return the hash of the evaluation images that the stages which are done have seen, by the part of COCO."""
    hashes = {}
    for cell in cells:
        if found := facts_of(plan.folder / cell.name).get("val_hash"):
            hashes[part_of(cell.name)] = str(found)
    return hashes
