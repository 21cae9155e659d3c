"""The models that ``fullseg annotate`` offers: those released and on this machine, and each experiment's newest run."""

import json
import pickle
from pathlib import Path
from typing import Any

from fullseg.annotator.choices import Choice
from fullseg.errors import CheckpointError, UserError
from fullseg.model.released import released_models
from fullseg.runs.find import find_checkpoint, trained_experiments

STRATEGIES = ("free", "per_region")  # of a study, the one that is preferred first


def list_choices(started: str, runs: Path) -> list[Choice]:
    """Return all models that are offered: the one that the annotator was started with, then the others.

    Args:
        started: the value of ``--checkpoint``.
        runs: folder of all run folders.
    """
    about = {model.name: model.about for model in released_models() if model.path.is_file()}
    names = [started, *about, *trained_experiments(runs)]
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(_choice(name, find_checkpoint("--checkpoint", name, runs), about.get(name, "")))
        except (UserError, OSError):  # it was moved or is damaged: it cannot be chosen
            continue
    return found


def _choice(name: str, checkpoint: Path, about: str) -> Choice:
    import torch  # not above: the page comes before PyTorch is loaded

    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{checkpoint} is damaged: {error}") from error
    config = content.get("hyper_parameters", {}).get("config") or {}
    scribbles, model = config.get("scribbles") or {}, config.get("model") or {}
    strokes = any(scribbles.get(key, 0) for key in ("rounds", "max_scribbles")) if config else None
    spreads = any(model.get(key, "none") != "none" for key in ("kriging", "diffusion"))
    trained_on = f"{config['data']['format']} {config['data']['train_split']}" if config.get("data") else ""
    scores = (content.get("release") or {}).get("scores") or _studies(checkpoint.parent.parent)
    by_strokes = None if strokes is None else bool(strokes or spreads)
    return Choice(name, str(checkpoint), about or trained_on, by_strokes, **_measured(scores))


def _studies(folder: Path) -> list[dict[str, Any]]:
    """Return the study of a run folder, if there is one."""
    file = folder / "study.json"
    return [json.loads(file.read_text(encoding="utf-8"))] if file.is_file() else []


def _measured(scores: list[dict[str, Any]]) -> dict[str, Any]:
    for study in scores:
        for name in STRATEGIES:
            found = study.get("strategies", {}).get(name)
            if found:
                where = f"{study.get('dataset', '')} {study.get('split', '')}".strip()
                curve = {"scribbles": tuple(found["scribbles_per_region"]), "iou": tuple(found["iou"])}
                return {**curve, "eta": found.get("eta_of_all_rounds"), "measured_on": where}
    return {}
