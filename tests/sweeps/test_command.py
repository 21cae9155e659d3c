"""The expansion of a sweep's command is compared with W&B's own agent."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from wandb import wandb_agent

from fullseg.sweeps.command import args_json, expand_command

PARAMETERS: dict[str, Any] = {
    "loss": "maskwise",
    "seed": 3,
    "rate": 1e-05,
    "flip": True,
    "colour": False,
    "nothing": None,
    "model.head_dilations": "[1, 2]",
    "scale": [0.5, 1],
    "study.noise": {"points": 2},
}
COMMANDS: list[list[str]] = [
    [],
    ["${env}", "${interpreter}", "-m", "fullseg", "train", "x.yaml", "${args_no_hyphens}"],
    ["${interpreter}", "${program}", "${args}", "--more"],
    ["run", "${args_no_boolean_flags}"],
    ["run", "${args_no_equals}"],
    ["run", "${args_json}"],
    ["run", "${args_json_file}"],
    ["run", "${args_append_hydra}", "${args_override_hydra}"],
    ["run", "data.root=${envvar:SWEEP_DATA}/x:${envvar:SWEEP_DATA}", "${envvar:SWEEP_NOT_SET}", "${envvar:lower}"],
    ["run", "${envvar:SWEEP_MACRO}", "${unknown}", "a${args}", "${args}b"],
]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that returns the command line that W&B's agent would start, and its args_json_file."""
    for variable, value in {
        "WANDB_DIR": tmp_path,
        "WANDB_SWEEP_ID": "s",
        "WANDB_RUN_ID": "",
        "SWEEP_DATA": "/d",
    }.items():
        monkeypatch.setenv(variable, str(value))
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", "")  # the agent sets it; pytest restores it after the test
    monkeypatch.setenv("SWEEP_MACRO", "${args}")
    monkeypatch.delenv("SWEEP_NOT_SET", raising=False)
    started: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **_: Any) -> None:
            started.append(command)

    monkeypatch.setattr(wandb_agent, "AgentProcess", Process)

    def expand(command: list[str]) -> tuple[list[str], Path]:
        agent = wandb_agent.Agent(None, None)
        agent._sweep_command = list(command)
        arguments = {name: {"value": value} for name, value in PARAMETERS.items()}
        agent._command_run({"run_id": "r", "program": "train.py", "args": arguments})
        return started[-1], tmp_path / "wandb" / "sweep-s" / "config-r.json"

    return expand


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "default")
def test_equals_wandbs_agent(agent: Any, command: list[str]) -> None:
    expected, json_file = agent(command)
    expanded = expand_command(
        command, "train.py", PARAMETERS, interpreter="python", args_json_file=str(json_file), environ=os.environ
    )
    assert expanded == expected
    if "${args_json_file}" in command:
        assert args_json(PARAMETERS) == json_file.read_text()


def test_the_macros_are_what_the_manual_says() -> None:
    """This test does not depend on W&B's code."""

    def expand(*command: str) -> list[str]:
        parameters = {"a": 1, "b": True, "c": False}
        return expand_command(
            command, "p.py", parameters, interpreter="/venv/python", args_json_file="/f.json", environ={"HOME": "/h"}
        )

    assert expand() == ["/usr/bin/env", "/venv/python", "p.py", "--a=1", "--b=True", "--c=False"]
    assert expand("${args_no_hyphens}") == ["a=1", "b=True", "c=False"]
    assert expand("${args_no_boolean_flags}") == ["--a=1", "--b"]
    assert json.loads(expand("${args_json}")[0]) == {"a": 1, "b": True, "c": False}
    assert expand("${args_json_file}", "${envvar:HOME}", "${envvar:NONE}") == ["/f.json", "/h", "NONE"]
