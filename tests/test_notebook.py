"""The notebook runs from its first cell to its last, on a run folder as ``make train`` leaves it."""

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from tests.tiny_runs import Runs

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first_steps.ipynb"


@pytest.mark.slow
def test_the_notebook_runs(runs: "Runs", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = (runs.runs / "interactive" / "latest").resolve()
    (tmp_path / "runs" / "default").mkdir(parents=True)
    (tmp_path / "runs" / "default" / "latest").symlink_to(folder)
    monkeypatch.delenv("FULLSEG_RUN", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    assert "pixels without a region" in texts
    assert "the scribble gave region" in texts
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def test_the_notebook_is_kept_with_its_pictures() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    counts = [cell["execution_count"] for cell in notebook.cells if cell["cell_type"] == "code"]
    assert counts == list(np.arange(1, len(counts) + 1))
    assert (
        sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])) == 2
    )
