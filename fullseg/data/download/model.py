"""Downloads a model that is known by name (``fullseg model get``), and checks it."""

import hashlib
from pathlib import Path

from rich.progress import Progress

from fullseg.data.download.http import download, note_path
from fullseg.errors import DataError
from fullseg.formats.locks import locked
from fullseg.model.released import Released


def download_model(model: Released) -> Path:
    """Download a model's file to where every command finds it by name.

    Args:
        model: with a ``url``.

    Returns:
        The file.

    Raises:
        DataError: if the server cannot be reached or refuses, if the file is not what it should be, or if another
            process downloads it.
    """
    assert model.url is not None
    path = model.path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with locked(path.with_suffix(".lock"), f"{path}: another process downloads it", wait=False), Progress() as progress:
        bar = progress.add_task(model.name, total=model.size)
        try:
            download(model.url, partial, lambda done, _: progress.update(bar, completed=done))
        except OSError as error:
            raise DataError(
                f"{model.name} cannot be downloaded from {model.url}: {error}; connect this machine to the network and "
                f"run the same command again, or bring the file from another machine to {path}"
            ) from error
        found = hashlib.sha256(partial.read_bytes()).hexdigest()
        note_path(partial).unlink(missing_ok=True)
        if found != model.sha256:
            partial.unlink()
            raise DataError(
                f"{model.url} has sha256 {found}, not {model.sha256} as {model.name} should: nothing is kept; get a "
                "newer fullseg, or tell its authors"
            )
        partial.replace(path)
    return path
