"""Overrides: what is text stays text, and a number that is none is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fullseg.config.load import load_config
from fullseg.config.overrides import NOTHING, read_override, types_of
from fullseg.config.schema import Config
from fullseg.errors import ConfigError

AS_THEY_ARE = ["007", "1e3", "3e563", "on", "no", "3.10", "0x1f", "1_000", "True", "-", "[a]", "{a: b}", "2026-11-29"]


@pytest.mark.parametrize("text", [*AS_THEY_ARE, "/data/set #2", "/data/a: b", "a=b", "/anna's photos", "* & ! % @ `"])
def test_text_is_not_read_as_yaml(text: str) -> None:
    assert load_config(None, [f"data.root={text}"]).data.root == text


@given(st.text(min_size=1).filter(lambda text: "${" not in text and text not in NOTHING and text[0] != '"'))
def test_any_text_stays_as_it_is(text: str) -> None:
    assert OmegaConf.select(read_override(f"data.root={text}", Config), "data.root") == text


@given(st.text().filter(lambda text: "${" not in text))
def test_text_in_json_is_that_text(text: str) -> None:
    assert OmegaConf.select(read_override(f"data.root={json.dumps(text)}", Config), "data.root") == text


@pytest.mark.parametrize("nothing", ["null", "None", ""])  # W&B's agent writes None
def test_nothing_is_nothing_where_it_may_be(nothing: str) -> None:
    assert load_config(None, [f"counterpart={nothing}"]).counterpart is None
    with pytest.raises(ConfigError, match=r"trainer\.epochs"):
        load_config(None, [f"trainer.epochs={nothing}"])


def test_the_home_folder_is_found_in_overrides_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    (tmp_path / "e.yaml").write_text("runs: ~/runs\n")
    config = load_config(tmp_path / "e.yaml", ["data.root=~/data", "checkpoint=a~b"])
    assert (config.runs, config.data.root, config.checkpoint) == ("/home/anna/runs", "/home/anna/data", "a~b")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.epochs=010", "expected a whole number, such as 10, without leading zeros"),
        ("trainer.epochs=12:30", "expected a whole number"),
        ("trainer.epochs=1.5", "expected a whole number"),
        ("study.strategies=free", r"expected a list, such as study.strategies=\[free\]"),
        ("data.root=${HOME}/data", "is not expanded here"),
        ("run_id=..", "names a folder"),
        ("run_id=.", "names a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(None, [override])


def test_every_option_has_a_type() -> None:
    types = {name: (kind, nullable) for name, kind, nullable in types_of(Config)}
    assert types["data.root"] == (str, True)
    assert types["trainer.epochs"] == (int, False)
    assert types["model.dextr.weights"] == (str, True)
