"""What the documents say can be done can be done: commands parse, links lead somewhere, every file is named."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from fullseg.cli.arguments import parse
from fullseg.config.load import load_config
from fullseg.sweeps.file import read_sweep

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EXPERIMENTS = [*sorted((ROOT / "experiments").rglob("*.yaml")), *sorted((ROOT / "sweeps").glob("*.yaml"))]
OTHERS = {"conda", ".", "wandb", "apt-get"}  # programs that documents may name and that are not ours


def fenced_lines(path: Path) -> list[str]:
    """Return the lines of code blocks that have no language: commands."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [
        line
        for language, block in blocks
        if not language
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


def lines_in_head(path: Path) -> list[str]:
    """Return the commands in the comment that a YAML file begins with."""
    lines = [line.removeprefix("#").strip() for line in path.read_text().splitlines() if line.startswith("#")]
    return [line.split("    (")[0] for line in lines if line.startswith(("make ", "fullseg "))]


def commands() -> list[tuple[Path, str]]:
    fenced = [(path, line) for path in DOCUMENTS for line in fenced_lines(path)]
    return fenced + [(path, line) for path in EXPERIMENTS for line in lines_in_head(path)]


def check(words: list[str]) -> None:
    """Check a command of fullseg, without its program."""
    options = parse(words)
    if options.command in ("train", "study"):
        load_config(options.experiment, options.overrides)
    if options.command == "sweep":
        read_sweep(options.sweep)
        assert options.experiment is None or options.experiment.is_file()


def check_make(words: list[str]) -> None:
    """Check what a target would run, for every part of ``make a && make b``."""
    for part in " ".join(shlex.quote(word) if word != "&&" else word for word in words).split(" && "):
        command = [*shlex.split(part), "--dry-run", "--no-print-directory"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        printed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert printed.returncode == 0, printed.stderr
        for line in printed.stdout.replace("\\\n", " ").splitlines():
            if " -m fullseg " in line:
                check(shlex.split(line.split(" -m fullseg ")[1]))


@pytest.mark.parametrize(("path", "line"), commands(), ids=lambda value: str(getattr(value, "name", value)))
def test_every_command_parses(path: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        check_make(words)
    elif words[0] == "fullseg":
        check(words[1:])
    elif words[0] == "torchrun":
        check(words[words.index("fullseg") + 1 :])
    elif words[0] == "sbatch":
        script = next(word for word in words if word.endswith(".sbatch"))
        name, *overrides = words[words.index(script) + 1 :]
        assert Path(script).is_file()
        folder = "sweeps" if "sweep" in script else "experiments"
        check(["sweep" if "sweep" in script else "train", f"{folder}/{name}.yaml", *overrides])
    else:
        assert words[0] in OTHERS, f"{path}: {line}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_within_sentences_exist(path: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for program, name in re.findall(r"`(make|fullseg) ([a-z]+)", path.read_text()):
        if program == "make":
            assert name in targets, f"make {name}"
        else:
            with pytest.raises(SystemExit) as stop:
                parse([name, "--help"])
            assert stop.value.code == 0, f"fullseg {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (path.parent / target).exists(), f"{path}: {target}"


def test_the_architecture_names_every_file_exactly_once() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([\w/.]+\.(?:py|js|html|css|j2))`", text)
    package = ROOT / "fullseg"
    files = [
        str(path.relative_to(package))
        for path in package.rglob("*")
        if path.suffix in (".py", ".js", ".html", ".css", ".j2") and path.name != "__init__.py"
    ]
    assert sorted(named) == sorted([*files, "__init__.py"])


def test_what_users_read_names_no_folder_of_the_developers() -> None:
    for path in [*DOCUMENTS, *EXPERIMENTS, ROOT / "experiments" / "RESULTS.md", *(ROOT / "benchmarks").glob("*.md")]:
        assert "../shared" not in path.read_text(), path


@pytest.mark.parametrize("value", ["/data/anna's photos", 'a "b" c', "a; touch b", "$HOME/x", "~/x"])
@pytest.mark.parametrize(
    ("target", "variable"), [("train", "DATA"), ("annotate", "IMAGES"), ("annotate", "CHECKPOINT"), ("report", "RUNS")]
)
def test_make_passes_any_path_on(target: str, variable: str, value: str, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')  # prints its arguments instead
    program.chmod(0o755)
    if variable == "RUNS":  # several folders are separated by spaces, unless there is one of this name
        value = str(tmp_path / value.replace("/", "_"))
        Path(value).mkdir()
    made = value.replace("$", "$$")  # as make itself needs it
    command = ["make", "--silent", target, f"{variable}={made}", f"RUN={program}", "ENV="]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert any(line in (value, f"data.root={value}") for line in result.stdout.splitlines()), result.stdout
