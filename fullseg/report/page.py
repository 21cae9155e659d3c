"""Writes one self-contained HTML page about one or more runs: numbers, figures, worst regions, times, provenance."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import markupsafe
import numpy as np
import pyarrow.parquet as pq
import yaml
from matplotlib.figure import Figure
from PIL import Image

from fullseg.config.strategies import CURVES
from fullseg.errors import DataError
from fullseg.formats.atomic import write_text
from fullseg.metrics.interaction import TARGETS
from fullseg.metrics.region_iou import SIZES
from fullseg.study.equal import area_up_to, common_scribbles, numbers_up_to, value_at
from fullseg.study.figures import against_seconds, as_in_the_paper, curves, how_scribbles_act, noise_curves, spreading
from fullseg.study.summary import read_study

WORST = 10  # regions listed per run
# What two studies of a run have in common that differ in one thing only, as keys of study.json.
SAME = ("rules", "kriging", "diffusion", "rounds", "seed", "dataset", "split", "images")


class Run(NamedTuple):
    """The content of a run folder. Missing parts are empty."""

    name: str
    folder: Path
    config: dict[str, Any]
    summary: dict[str, Any]  # scores before and after training
    study: dict[str, Any]  # content of study.json
    other_way: dict[str, Any]  # the study that differs only in ``study.hold_scribbles``
    noise: list[dict[str, Any]]  # studies with a noisy annotator
    provenance: list[str]


def write_report(folders: list[Path], out: Path | None) -> Path:
    """Write the report of one or more runs, side by side.

    Args:
        folders: run folders, or folders of studies below them (``<run>/studies/<what differs>``).
        out: HTML file, or None for ``report.html`` in the first folder.

    Returns:
        Path of the page.

    Raises:
        DataError: if a folder is neither of these.
    """
    runs = _named([read_run(folder) for folder in folders])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["percent"] = _percent
    environment.filters["number"] = lambda value: "" if value is None else f"{value:.2f}"
    studied = _studies(runs)
    spread, timed = spreading(studied), against_seconds(studied)
    entries = [entry for study in studied.values() for entry in study["strategies"].values()]
    common = common_scribbles(entries) if entries else 0.0
    page = environment.get_template("page.html.j2").render(
        runs=runs,
        studied=studied,
        sizes=list(SIZES),
        names={name: strategy.title for name, strategy in CURVES.items()},
        paper={name: strategy.paper for name, strategy in CURVES.items()},
        numbers=numbers_up_to(common),
        most=f"{common:.1f}",
        value_at=value_at,
        area_up_to=lambda entry: area_up_to(entry, common),
        as_in_the_paper=as_in_the_paper,
        how_scribbles_act=how_scribbles_act,
        curves=as_svg(curves(studied)) if studied else None,
        against_seconds=as_svg(timed) if timed else None,
        spreading=as_svg(spread) if spread else None,
        targets=[f"{target:.2f}" for target in TARGETS],
        things_and_stuff=any("iou_things" in s for study in studied.values() for s in study["strategies"].values()),
        pictures={run.name: _pictures(run.folder) for run in runs},
        worst={run.name: worst_regions(run) for run in runs},
        noise={run.name: as_svg(noise_curves([run.study, *run.noise])) for run in runs if run.study and run.noise},
    )
    target = out or runs[0].folder / "report.html"
    write_text(target, page)
    return target


def read_run(folder: Path) -> Run:
    """Read a run folder, or the folder of a study below it with everything else from the run folder.

    Raises:
        DataError: if it is neither of these.
    """
    run = _run_of(folder)
    config = run / "config.yaml"
    if not config.is_file():
        raise DataError(f"{folder} is no run folder: there is no {config}")
    environment = run / "environment.txt"
    main = _study(folder / "study.json")
    others = [_study(path) for path in sorted((folder / "studies").glob("*/study.json"))]
    content = yaml.safe_load(config.read_text())
    return Run(
        content["experiment"],
        folder,
        content,
        _json(run / "summary.json"),
        main,
        next((study for study in others if _differ_in_holding(study, main)), {}),
        [study for study in others if _differ_in_noise(study, main)],
        environment.read_text().split("\n\n")[0].splitlines() if environment.is_file() else [],
    )


def _differ_in_noise(study: dict[str, Any], main: dict[str, Any]) -> bool:
    """Return whether a study differs from the run's main study only by the annotator's noise."""
    noisy = bool(main) and any(study["noise"].values()) and not any(main["noise"].values())
    return noisy and all(study.get(key) == main.get(key) for key in (*SAME, "hold_scribbles"))


def _differ_in_holding(study: dict[str, Any], main: dict[str, Any]) -> bool:
    """Return whether a study differs from the run's main study only by ``study.hold_scribbles``."""
    same = bool(main) and all(study.get(key) == main.get(key) for key in (*SAME, "noise", "checkpoint"))
    return same and as_in_the_paper(study) != as_in_the_paper(main)


def _studies(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Return the studies of all runs by their label: the run, if there are several, and what scribbles do."""
    studied = {}
    for run in runs:
        for study in filter(None, (run.study, run.other_way)):
            studied[f"{run.name}, {how_scribbles_act(study)}" if len(runs) > 1 else how_scribbles_act(study)] = study
    return studied


def worst_regions(run: Run) -> list[dict[str, Any]]:
    """Return the regions with the lowest final IoU as table rows: of ``free``, or else of the first strategy."""
    strategies = run.study.get("strategies", {})
    if not strategies:
        return []
    name = "free" if "free" in strategies else next(iter(strategies))
    rows = pq.read_table(run.folder / strategies[name]["per_image"]).to_pylist()
    last = max(row["round"] for row in rows)
    first = {(row["image"], row["region"]): row["iou"] for row in rows if row["round"] == 0}
    final = [row for row in rows if row["round"] == last and not np.isnan(row["iou"])]
    worst = sorted(final, key=lambda row: row["iou"])[:WORST]
    return [{**row, "first": first[row["image"], row["region"]]} for row in worst]


def _named(runs: list[Run]) -> list[Run]:
    """Make the runs' names unique: add the run folder's name if needed, and always the name of a study's folder."""
    names = [run.name for run in runs]
    named = []
    for run in runs:
        place = [_run_of(run.folder).resolve().name]
        place += [run.folder.resolve().name] if _run_of(run.folder) != run.folder else []
        told = len(place) > 1 or names.count(run.name) > 1
        named.append(run._replace(name="/".join([run.name, *place])) if told else run)
    return named


def _run_of(folder: Path) -> Path:
    """Return the run folder that a study's folder lies in; any other folder is returned as it is."""
    path = folder.resolve()
    return path.parents[1] if path.parent.name == "studies" else folder


def _pictures(folder: Path) -> list[tuple[str, str]]:
    titles = {
        "fig6.png": "The best, the median and the worst image, and how they were annotated (as Fig. 6)",
        "worst_regions.png": "The worst regions at the end",
    }
    found = [(title, folder / "figures" / name) for name, title in titles.items()]
    return [(title, _jpeg(path)) for title, path in found if path.is_file()]


def _jpeg(path: Path) -> str:
    """Return a picture as a JPEG in base64. It takes a tenth of the PNG's size."""
    buffer = BytesIO()
    Image.open(path).convert("RGB").save(buffer, format="JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()


def as_svg(figure: Figure) -> markupsafe.Markup:
    """Return a figure as SVG that stands in a page as it is."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue().decode()
    return markupsafe.Markup(text[text.index("<svg") :])


def _study(path: Path) -> dict[str, Any]:
    return read_study(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return content


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
