"""Imports go one way, and libraries stay where they belong (docs/architecture.md explains the order)."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fullseg"
ROOMS = [  # a room imports rooms of the lines above its own: neither those below it nor its neighbours
    {"types", "errors", "cpu", "run_lengths"},
    {"metrics", "formats", "config", "pictures", "model", "simulation"},
    {"study", "data", "annotator"},
    {"report", "runs"},
    {"tracking"},
    {"training", "sweeps"},
    {"reproduce", "paper", "journals"},
    {"cli"},
    {"__main__"},
]
FILES_OF = {  # a file of these rooms imports files of the same room from the lines above its own
    "model": [
        {"base", "boxes", "roi_align", "timm_body", "vit_pyramid", "annotation_checks", "device", "released"},
        {"backbone_weights"},
        {"backbone"},
        {"annotation_maps", "canvas", "class_maps", "second_stage", "dextr.deeplab", "diffusion"},
        {"kriging"},
        {"spreading", "islands"},
        {"image_canvas"},
        {"losses", "first_look"},
        {"segmenter"},
        {"region_segmenter", "dextr.dextr"},
        {"factory", "interactive.drawing"},
        {"interactive.region_cache", "interactive.first_layer", "interactive.kernel_rows", "interactive.decided"},
        {"interactive.round_inputs"},
        {"interactive.spread_state", "interactive.region_states"},
        {"interactive.tiles", "interactive.padded"},
        {"interactive.windows", "interactive.batches", "interactive.crops", "interactive.graphs"},
        {"interactive.first_looks"},
        {"interactive.factory"},
        {"interactive.negatives"},
        {"interactive.image_state"},
        {"interactive.own_masks", "interactive.enlarged"},
        {"predictor"},
        {"captured"},
    ],
    "data": [
        {"progress"},
        {"download.archives", "download.http"},
        {"download.manifest", "download.unpack", "download.model"},
        {"download.coco"},
        {"index.files", "index.index_file"},
        {"index.parts", "index.partitions"},
        {"index.panoptic"},
        {"index.instances"},
        {"coco_panoptic", "coco_instances"},
        {"scenes", "bsds500", "panoptic_quality"},
        {"prepare", "transforms", "mixture", "steps"},
        {"splits"},
        {"dataset", "workers"},
        {"loaders", "scribbling"},
        {"sessions"},
        {"annotated"},
        {"datamodule"},
    ],
}
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def line_of(name: str, lines: list[set[str]]) -> int:
    return next(number for number, names in enumerate(lines) if name in names)


@functools.cache
def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def own_imports(path: Path) -> list[str]:
    """Return the package's own modules that a file imports, without ``fullseg.``."""
    return sorted(module.removeprefix("fullseg.") for module in imported_modules(path) if module.startswith("fullseg."))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_rooms_import_those_above_them_only(path: Path) -> None:
    own = name_of(path).split(".")[0]
    for module in own_imports(path):
        room = module.split(".")[0]
        assert room == own or line_of(room, ROOMS) < line_of(own, ROOMS), f"{path} imports {module}"


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path).split(".")[0] in FILES_OF], ids=str)
def test_files_of_a_room_import_those_above_them_only(path: Path) -> None:
    room, _, own = name_of(path).partition(".")
    for module in own_imports(path):
        if module.startswith(f"{room}."):
            other = module.removeprefix(f"{room}.")
            assert line_of(other, FILES_OF[room]) < line_of(own, FILES_OF[room]), f"{path} imports {module}"


def test_the_annotator_needs_no_training_code_and_no_data_set() -> None:
    for path in (PACKAGE / "annotator").rglob("*.py"):
        for module in imported_modules(path):
            if module.startswith("fullseg"):
                assert module.split(".")[1] in ("types", "errors", "cpu", "formats", "model", "annotator"), (
                    f"{path} imports {module}"
                )


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("lightning", ("runs/", "tracking/", "training/", "data/datamodule.py")),
        ("wandb", ("tracking/", "sweeps/tracking.py")),
        ("albumentations", ("data/",)),
        ("pycocotools", ("data/", "annotator/export.py")),
        ("pydantic", ("annotator/", "formats/coco_schema.py")),
        ("starlette", ("annotator/",)),
        ("uvicorn", ("annotator/",)),
        ("sqlite3", ("annotator/store.py",)),
        ("omegaconf", ("config/", "runs/folder.py", "runs/provenance.py", "sweeps/")),
        ("timm", ("model/timm_body.py", "model/backbone_weights.py", "model/backbone.py", "model/vit_pyramid.py")),
        ("rich", ("cli/", "reproduce/tables.py", "paper/", "sweeps/", "data/", "study/", "training/", "runs/")),
    ],
)
def test_libraries_stay_where_they_belong(library: str, places: tuple[str, ...]) -> None:
    for path in FILES:
        if any(module.split(".")[0] == library for module in imported_modules(path)):
            assert str(path.relative_to(PACKAGE)).startswith(places), f"{path} imports {library}"


def test_the_predictor_needs_no_training_libraries() -> None:
    heavy = "'lightning', 'albumentations', 'omegaconf', 'pycocotools'"  # timm itself imports wandb where it is there
    code = f"import sys; from fullseg import Predictor; print([name for name in ({heavy}) if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    if path != PACKAGE / "config" / "schema.py":  # one list of options, most of it their descriptions
        assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            documentation = ast.get_docstring(node, clean=False)
            first = node.body[0].lineno  # a network has many arguments, one a line, which need no thought
            lines = (node.end_lineno or 0) - first + 1 - len((documentation or "").splitlines())
            assert lines <= 40, f"{path}: {node.name} has {lines} lines"
