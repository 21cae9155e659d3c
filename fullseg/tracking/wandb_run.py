"""Opens and closes W&B runs, and sets the x-axes of their charts. Without a key nothing waits for a network."""

import os
import warnings
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger

from fullseg.config.schema import TrackingConfig
from fullseg.runs.ranks import is_rank_0

PICTURES = "val/picture_"  # beginning of an evaluation image's key in W&B; the image's number follows
X_AXES = {  # x-axis of each logged key; Lightning sets x-axes only for runs that it opens itself
    "train/*": "trainer/global_step",
    "val/*": "trainer/global_step",
    "lr-*": "trainer/global_step",
    "study/*": "study/scribbles_per_region",
}
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
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
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
    for keys, x_axis in X_AXES.items():
        run.define_metric(keys, step_metric=x_axis)
    return WandbLogger(save_dir=run_folder, experiment=run)


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
