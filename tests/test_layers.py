"""Imports go one way, and libraries stay where they belong (CONTRIBUTING.md has the table)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fullseg"
LAYERS = [  # a file imports from its own layer and from those above it
    {"types", "options", "files"},
    {"config_checks"},
    {"config", "metrics", "interaction_metrics", "pictures", "annotation_file", "panoptic"},
    {"model"},
    {"simulation"},
    {"study", "figures", "baselines"},
    {"data"},
    {"training", "predict", "report", "evaluate", "annotator"},
    {"annotate", "arguments"},
    {"__main__"},
]
FILES = sorted(PACKAGE.rglob("*.py"))


def layer_of(module: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if module in names)


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", [f for f in FILES if f.parent != PACKAGE or f.stem != "__init__"], ids=str)
def test_imports_go_down_the_list_only(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    own = layer_of(parts[0])
    for module in imported_modules(path):
        if module.startswith("fullseg."):
            name = module.split(".")[1]
            assert layer_of(name) <= own, f"{path} imports {module}"


def test_the_annotator_needs_no_training_code_and_no_data_set() -> None:
    for path in (PACKAGE / "annotator").rglob("*.py"):
        for module in imported_modules(path):
            if module.startswith("fullseg"):
                assert module.split(".")[1] in ("types", "panoptic", "model", "annotator"), f"{path} imports {module}"


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("lightning", ("training/", "data/datamodule.py")),
        ("wandb", ("training/",)),
        ("albumentations", ("data/",)),
        ("pycocotools", ("data/", "annotator/export.py")),
        ("pydantic", ("annotator/",)),
        ("starlette", ("annotator/",)),
        ("uvicorn", ("annotator/",)),
        ("sqlite3", ("annotator/store.py",)),
        ("omegaconf", ("config.py", "options.py", "training/")),
        ("timm", ("model/backbone.py", "model/deeplab.py")),
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
    if path.name != "config.py":  # one list of options, most of it their descriptions
        assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            documentation = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or 0) - node.lineno + 1 - len((documentation or "").splitlines())
            assert lines <= 40, f"{path}: {node.name} has {lines} lines"
