"""Opens and closes W&B runs, and sets the x-axes of their charts. Without a key nothing waits for a network."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger

from fullseg.config.schema import TrackingConfig
from fullseg.errors import ConfigError
from fullseg.runs.ranks import is_rank_0

PICTURES = "val/picture_"  # beginning of an evaluation image's key in W&B; the image's number follows
STEP = "trainer/global_step"  # W&B's own step starts at 0 again when an offline run is resumed
SCRIBBLES = "study/scribbles_per_region"
X_AXES = {  # x-axis of each logged key, the first that fits; Lightning sets x-axes only for runs that it opens itself
    "study/*": SCRIBBLES,
    "*": STEP,
}
BEST = {"val/iou": "max"}  # metrics whose best value, and not the last one, is the run's summary
MODES = ("online", "offline", "disabled", "shared")
ALIASES = {"run": "online", "dryrun": "offline"}  # W&B's older names
CONNECT_SECONDS = 20.0  # longest time that connecting to W&B may take
NO_NAME = str.maketrans(dict.fromkeys("=,/:#?%", "-"))  # characters that W&B's ids must not have


def wandb_logger(tracking: TrackingConfig, run_folder: Path, config: dict[str, Any], job: str) -> WandbLogger | None:
    """Open one W&B run in the run folder, or return None if tracking is disabled.

    ``tracking.wandb=auto`` is online if a key is set (as an environment variable or by ``wandb login``), else offline.
    So training never stops for a prompt or a missing network.

    Args:
        tracking: the options ``tracking``.
        run_folder: W&B writes into its folder ``wandb/``.
        config: the complete configuration as plain values.
        job: ``train``, ``study`` or ``sweep``. The study of a run is a W&B run of its own in the same folder.
    """
    mode = tracking.wandb
    if mode == "auto":
        mode = _mode_of_environment() or ("online" if _has_key() else "offline")
    if mode == "disabled":
        return None
    os.environ["WANDB_MODE"] = mode
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_DATA_DIR", str(run_folder.resolve() / "wandb"))  # else it is in the home folder
    os.environ.setdefault("WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL", "1")  # seconds of logging that a kill can lose
    if not is_rank_0():  # one W&B run for all ranks
        return WandbLogger(save_dir=run_folder)
    name = _run_name(config["experiment"], run_folder, job)
    run = _open(
        mode=mode,
        dir=run_folder,
        project=tracking.project,
        name=name,
        group=os.environ.get("WANDB_RUN_GROUP", config["experiment"]),  # the cells of a sweep are one group
        id=os.environ.get("WANDB_RUN_ID", name),
        job_type=job,
        config=config,
    )
    define_axes(run)
    return WandbLogger(save_dir=run_folder, experiment=run)


def define_axes(run: wandb.Run) -> None:
    """Set the x-axis of every key of a run, and the metrics whose best value is its summary."""
    for axis in dict.fromkeys(X_AXES.values()):
        run.define_metric(axis)
    for keys, axis in X_AXES.items():
        run.define_metric(keys, step_metric=axis)
    for key, summary in BEST.items():
        run.define_metric(key, step_metric=STEP, summary=summary)


def add_to_config(loggers: Sequence[Logger], facts: Mapping[str, Any]) -> None:
    """Add facts to the configuration of the W&B run among these loggers, on rank 0; nothing without such a run."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.config.update(dict(facts), allow_val_change=True)


def _mode_of_environment() -> str | None:
    """Return the mode in WANDB_MODE, in small letters; None if there is none."""
    named = os.environ.get("WANDB_MODE", "").strip()
    mode = ALIASES.get(named.lower(), named.lower())
    if mode and mode not in MODES:
        raise ConfigError(f"WANDB_MODE={named}: choose one of {', '.join(MODES)}, or set tracking.wandb")
    return mode or None


def _run_name(experiment: str, run_folder: Path, job: str) -> str:
    if job == "train":
        return f"{experiment}-{run_folder.name}".translate(NO_NAME)
    place = run_folder.resolve().parts  # a study's folder may lie below the run's: both are part of the name
    names = place[place.index("studies") - 1 :] if "studies" in place else place[-1:]
    return "-".join([experiment.replace("/", "-"), *names, job]).translate(NO_NAME)


def _open(**options: Any) -> wandb.Run:  # noqa: ANN401  arguments of wandb.init
    """Open a run. If W&B cannot be reached, open it offline."""
    try:
        resume: Any = "allow" if options["mode"] == "online" else None
        return wandb.init(**options, resume=resume, settings=wandb.Settings(init_timeout=CONNECT_SECONDS))
    except wandb.Error as error:
        text = f"W&B cannot be reached, so this run is logged offline; `wandb sync` uploads it later: {error}"
        warnings.warn(text, stacklevel=1)
        return wandb.init(**{**options, "id": f"{options['id']}-offline", "mode": "offline"})  # the id is in use now


def finish_wandb() -> None:
    """Close this process's W&B run, if there is one, so that the next run opens its own."""
    wandb.finish()


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    netrc = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    return netrc.is_file() and "wandb" in netrc.read_text(errors="ignore")
