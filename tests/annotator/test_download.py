"""All exports as one zip file."""

import io
import zipfile
from pathlib import Path

from starlette.testclient import TestClient

from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import QUADS


def test_the_zip_has_all_exports_and_is_removed_afterwards(client: TestClient, workspace: Workspace) -> None:
    assert client.head("/api/download").status_code == 507
    answer = client.get("/api/download")
    assert answer.status_code == 507
    assert "nothing was exported yet" in answer.json()["error"]
    for name in ("a.png", "b.png"):
        revision = workspace.act(name, 0, {"kind": "add", "points": QUADS[0]}, 0).revision
        workspace.export(name, revision)
    assert client.head("/api/download").status_code == 200
    answer = client.get("/api/download")
    assert 'filename="images-fullseg.zip"' in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    written = [path for path in (workspace.out / "export").rglob("*") if path.is_file()]
    assert len(written) == 9
    assert sorted(archive.namelist()) == sorted(path.relative_to(workspace.out).as_posix() for path in written)
    for path in written:
        assert archive.read(path.relative_to(workspace.out).as_posix()) == path.read_bytes()
    assert list(Path(workspace.out).glob("*.zip")) == list(Path(workspace.out).glob(".*.zip")) == []
