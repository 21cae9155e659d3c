"""Which cells wait, from their states and the runs of the cells that they need."""

import json
from pathlib import Path

from fullseg.sweeps.cell_folder import State, write_state
from fullseg.sweeps.cells import Cell
from fullseg.sweeps.waiting import runs_of, waiting_cells

CELLS = [
    Cell(name, name, {}, [], "train", None, [], "", needs)
    for name, needs in (("a", ()), ("b", ("a",)), ("c", ("b",)), ("d", ()))
]


def done(folder: Path, cell: Cell, run: str = "first") -> None:
    write_state(folder / cell.name, State(status="done", used=runs_of(cell.needs, folder)))
    (folder / cell.name / "result.json").write_text(json.dumps({"folder": f"/runs/{cell.name}/{run}"}))


def names_of(cells: list[Cell]) -> list[str]:
    return [cell.name for cell in cells]


def test_new_failed_and_interrupted_cells_wait(tmp_path: Path) -> None:
    assert names_of(waiting_cells(CELLS, tmp_path)) == ["a", "b", "c", "d"]
    for cell in CELLS:
        done(tmp_path, cell)
    assert waiting_cells(CELLS, tmp_path) == []
    for status in ("failed", "interrupted", "running"):
        write_state(tmp_path / "d", State(status=status))
        assert names_of(waiting_cells(CELLS, tmp_path)) == ["d"]


def test_cells_wait_whose_models_were_trained_again(tmp_path: Path) -> None:
    for cell in CELLS:
        done(tmp_path, cell)
    assert runs_of(("a", "b"), tmp_path) == {"a": "first", "b": "first"}
    done(tmp_path, CELLS[0], "second")
    assert names_of(waiting_cells(CELLS, tmp_path)) == ["b", "c"]
    done(tmp_path, CELLS[1], "second")
    assert names_of(waiting_cells(CELLS, tmp_path)) == ["c"]
    write_state(tmp_path / "a", State(status="interrupted"))
    assert names_of(waiting_cells(CELLS, tmp_path)) == ["a", "b", "c"]
