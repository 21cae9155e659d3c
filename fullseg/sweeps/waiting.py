"""Which cells of a sweep wait: those that are not done, and those whose models have been trained again since."""

from collections.abc import Sequence
from pathlib import Path

from fullseg.sweeps.cell_folder import read_result, read_state
from fullseg.sweeps.cells import Cell


def waiting_cells(cells: Sequence[Cell], folder: Path) -> list[Cell]:
    """Return the cells that are not done. A cell that used another run than those it needs have now is not done.

    Args:
        cells: those that a cell needs come before it.
        folder: the sweep's folder.
    """
    waiting: dict[str, Cell] = {}
    for cell in cells:
        state = read_state(folder / cell.name)
        done = state.status == "done" and waiting.keys().isdisjoint(cell.needs)
        if not done or state.used != runs_of(cell.needs, folder):
            waiting[cell.name] = cell
    return list(waiting.values())


def runs_of(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the names of the run folders of cells that are done, by the cells' names."""
    results = {name: read_result(folder / name) for name in names}
    return {name: Path(result["folder"]).name for name, result in results.items() if result is not None}
