"""The page of ``fullseg paper``: the table, Fig. 5, and from which runs they come, in one HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from fullseg.paper.checks import changing_options
from fullseg.paper.provenance import facts_of
from fullseg.paper.results import Results
from fullseg.paper.stages import Plan
from fullseg.paper.tables import CAPTION, cells_of, columns_of, sections_of
from fullseg.report.page import as_svg
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
        options=changing_options(plan),
        failed=failed,
    )


def _stage(plan: Plan, cell: Cell) -> dict[str, Any]:
    """Return what the page says of a stage: state, minutes, and the provenance of its run."""
    folder = plan.folder / cell.name
    state, result, facts = read_state(folder), read_result(folder), facts_of(folder)
    minutes = f"{state.seconds / 60:.1f}" if state.seconds else ""
    about = {
        "name": cell.name,
        "status": state.status,
        "minutes": minutes,
        "folder": result["folder"] if result else "",
    }
    keys = ("commit", "machine", "precision", "val_samples", "val_hash")
    return {**about, **{key: str(facts.get(key, "")) for key in keys}}
