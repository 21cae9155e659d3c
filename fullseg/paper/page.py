"""The page of ``fullseg paper``: the table, Fig. 5, and from which runs they come, in one HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from fullseg.paper.results import Results
from fullseg.paper.stages import Plan
from fullseg.paper.tables import CAPTION, cells_of, columns_of, sections_of
from fullseg.report.page import as_svg
from fullseg.runs.provenance import read_environment
from fullseg.study.figures import curves
from fullseg.sweeps.cell_folder import read_result, read_state
from fullseg.sweeps.cells import Cell

TEMPLATE = "page.html.j2"


def render(plan: Plan, cells: Sequence[Cell], results: Results, command: str, failed: Sequence[str]) -> str:
    """Return the page.

    Args:
        plan: the plan.
        cells: all stages of the plan.
        results: of the stages that are done.
        command: that made the page.
        failed: a line for each stage that failed.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    studies = {f"seed {seed}": study for seed, study in results.studies.items()}
    return environment.get_template(TEMPLATE).render(
        sections=[(section, [cells_of(row) for row in rows]) for section, rows in sections_of(results.rows)],
        columns=columns_of(plan.seeds),
        caption=CAPTION,
        common=results.common,
        curves=as_svg(curves(studies)) if studies else None,
        stages=[_stage(plan, cell) for cell in cells],
        command=command,
        options=plan.overrides,
        failed=failed,
    )


def _stage(plan: Plan, cell: Cell) -> dict[str, Any]:
    """Return what the page says of a stage: state, minutes, and the provenance of its run."""
    folder = plan.folder / cell.name
    state, result = read_state(folder), read_result(folder)
    about = {"name": cell.name, "status": state.status, "minutes": f"{state.seconds / 60:.1f}" if state.seconds else ""}
    run = _run_folder(Path(result["folder"])) if result is not None else None
    path = run / "environment.txt" if run is not None else None
    facts = read_environment(path).facts if path is not None and path.is_file() else {}
    keys = ("commit", "machine", "precision", "val_samples", "val_hash")
    return {**about, "folder": str(run or ""), **{key: facts.get(key, "") for key in keys}}


def _run_folder(folder: Path) -> Path:
    """Return the run folder that a study's folder lies in, or the folder itself."""
    return folder.parents[1] if folder.parent.name == "studies" else folder
