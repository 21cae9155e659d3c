"""Loading options: files and overrides, their order, and messages that name what is wrong with the remedy."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from fullseg.config.load import load_config, plain
from fullseg.config.schema import Config
from tests.config.conftest import flat, message_of

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FILES = sorted(EXPERIMENTS.rglob("*.yaml"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_lists_of_a_configuration_are_its_own() -> None:
    Config().model.head_dilations.append(16)
    assert Config().model.head_dilations == [1, 2, 4, 8]


def test_defaults_alone_are_the_dataclass() -> None:
    assert load_config() == Config()


def test_override_over_file_over_base_over_defaults(tmp_path: Path) -> None:
    write(tmp_path / "root.yaml", "seed: 1\nmodel: {share: none, stride: 8, head_channels: 2}\ndata: {crop_size: 64}\n")
    write(tmp_path / "more/base.yaml", "extends: ../root.yaml\nseed: 2\nmodel: {stride: 4, roi_size: 9}\n")
    path = write(tmp_path / "more/top.yaml", "extends: base.yaml\nmodel: {roi_size: 14, mask_size: 33}\n")
    loaded = load_config(path, ["model.mask_size=20", "data.scale=[0.5,2]", "seed=3", "seed=4"])

    changed = {key: value for key, value in flat(plain(loaded)).items() if flat(plain(Config()))[key] != value}
    assert changed == {
        "experiment": "top",
        "seed": 4,  # the last override
        "model.share": "none",  # root
        "model.head_channels": 2,  # root
        "data.crop_size": 64,  # root
        "model.roi_size": 14,  # top over base; stride is back at the default 4 by base over root
        "model.mask_size": 20,  # override over top
        "data.scale": [0.5, 2.0],
    }


def test_values_keep_their_type(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.yaml", "optimizer: {learning_rate: 1e-3, weight_decay: 0}\ndata: {train_annotators: 3}\n"
    )
    loaded = load_config(path, ["data.root=a=b", "trainer.progress_bar=false", "data.train_fraction=1/8"])

    assert loaded.optimizer.learning_rate == 0.001
    assert type(loaded.optimizer.weight_decay) is float
    assert loaded.data.train_annotators == "3"
    assert loaded.data.root == "a=b"
    assert loaded.trainer.progress_bar is False
    assert loaded.data.train_fraction == "1/8"
    assert load_config(path, ["data.root=x", "data.root=null"]).data.root is None


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("experiments/bsds500/pixelwise.yaml", "bsds500/pixelwise"),
        ("experiments/a.b/c.d.yaml", "a.b/c.d"),
        ("experiments/work/experiments/a.yaml", "a"),  # the innermost folder of that name
        ("elsewhere/mine.yaml", "mine"),
    ],
)
def test_experiment_is_named_after_the_path(tmp_path: Path, file: str, name: str) -> None:
    path = write(tmp_path / file, "")
    assert load_config(path).experiment == name
    assert load_config(path, ["experiment=other"]).experiment == "other"
    assert load_config(write(path, "experiment: by_hand")).experiment == "by_hand"


def test_extending_file_has_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "experiments/base.yaml", "seed: 1")
    assert load_config(write(tmp_path / "experiments/top.yaml", "extends: base.yaml")).experiment == "top"


@pytest.mark.parametrize("back", ["a.yaml", "../exp/a.yaml"])
def test_extends_in_a_circle_is_an_error(tmp_path: Path, back: str) -> None:
    path = write(tmp_path / "exp/a.yaml", "extends: b.yaml")
    write(tmp_path / "exp/b.yaml", f"extends: {back}")
    assert message_of(path) == f"{tmp_path}/exp/b.yaml: extends={back} leads back to a file that extends it"


def test_extending_oneself_is_an_error(tmp_path: Path) -> None:
    assert message_of(write(tmp_path / "a.yaml", "extends: a.yaml")).endswith(
        "a.yaml: extends=a.yaml leads back to a file that extends it"
    )


def test_missing_file_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert message_of(Path("x.yaml")) == "no experiment file x.yaml; there are none here"
    write(tmp_path / "experiments/bsds500/pixelwise.yaml", "")
    write(tmp_path / "experiments/table2/full.yaml", "")

    nearest = "did you mean experiments/bsds500/pixelwise.yaml?"
    assert message_of(Path("experiments/bsds500/pixelwize.yaml")).endswith(nearest)
    everything = "there are experiments/bsds500/pixelwise.yaml, experiments/table2/full.yaml"
    assert message_of(Path("q")) == f"no experiment file q; {everything}"
    assert "no experiment file" in message_of(write(tmp_path / "top.yaml", "extends: gone.yaml"))
    assert "gone.yaml" in message_of(tmp_path / "top.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: [", "a.yaml is not valid YAML: "),
        ("seed: 1\nseed: 2", "duplicate key seed"),
        ("\tseed: 1", "a.yaml is not valid YAML: "),
        ("[1, 2]", "a.yaml: expected options as 'key: value' lines, found a list"),
        ("- seed: 1", "a.yaml: expected options as 'key: value' lines, found a list"),
        ("only words", "a.yaml: unknown option 'only words'"),
        ("los: maskwise", "a.yaml: unknown option 'los' (value 'maskwise'); did you mean 'loss'?"),
        ("model: {shar: none}", "a.yaml: unknown option 'model.shar' (value 'none'); did you mean 'model.share'?"),
        ("share: none", "a.yaml: unknown option 'share' (value 'none'); did you mean 'model.share'?"),
        ("model: {crop_size: 3}", "unknown option 'model.crop_size' (value 3); did you mean 'data.crop_size'?"),
        ("modle: {roi_size: 3}", "unknown option 'modle.roi_size' (value 3); did you mean 'model.roi_size'?"),
        ("loss: {pixelwise: 1}", "unknown option 'loss.pixelwise'"),
        ("data: 3", "unknown option 'data' (value 3)"),
        ("data: {1: 2}", "unknown option 'data.1'"),
        ("seed: many", "a.yaml: option 'seed': Value 'many' of type 'str' could not be converted to Integer"),
        ("seed: 1.5", "a.yaml: option 'seed': Value '1.5'"),
        ("seed: null", "a.yaml: option 'seed': Incompatible value 'None'"),
        ("data: {scale: 1}", "a.yaml: option 'data.scale': "),
        ("data: {scale: [a, b]}", "a.yaml: option 'data.scale[0]': Value 'a'"),
        ("model: {pretrained: perhaps}", "a.yaml: option 'model.pretrained': Value 'perhaps' is not a valid bool"),
        pytest.param("data: {cache: '${nothing}'}", "nothing"),
    ],
)
def test_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    message = message_of(write(tmp_path / "a.yaml", text))
    assert expected in message
    assert str(tmp_path / "a.yaml") in message


def test_error_in_a_base_names_the_base(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "seeed: 1")
    path = write(tmp_path / "top.yaml", "extends: base.yaml")
    assert message_of(path) == f"{tmp_path}/base.yaml: unknown option 'seeed' (value 1); did you mean 'seed'?"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "override 'seed': write it as key=value, for example model.share=none"),
        ("=3", "override '=3': write it as key=value, for example model.share=none"),
        ("seed=20261126185850", "seed=20261126185850: must be from 0 to 4294967295"),
        ("seed=", "override 'seed=': expected a whole number"),
        ("seed=x", "override 'seed=x': expected a whole number"),
        ("shar=none", "override 'shar=none': unknown option 'shar' (value 'none'); did you mean 'model.share'?"),
        ("qqqqqqqq=1", "unknown option 'qqqqqqqq' (value 1); `fullseg train --help` lists all options"),
        ("data.scale.0=2", "unknown option 'data.scale.0' (value 2); did you mean 'data.scale'?"),
        ("data.scale=[1,1", "override 'data.scale=[1,1'"),
        pytest.param("data.root=${nothing}", "override 'data.root=${nothing}'"),
        (
            "loss=pixelwize",
            "loss='pixelwize': choose one of pixelwise, maskwise, class_balanced; did you mean 'pixelwise'?",
        ),
        ("model.share=point", "model.share='point': choose one of none, points, all; did you mean 'points'?"),
        ("model.stride=5", "model.stride=5: choose one of 4, 8, 16"),
        ("model.stride=16", "model.stride=16: model.features=fpn needs 4 or 8"),
        ("model.features=c4", "model.stride=4: model.features=c4 needs 8 or 16"),
        ("trainer.compile=yes please", "option 'trainer.compile': Value 'yes please' is not a valid bool"),
        ("trainer.compil=true", "unknown option 'trainer.compil' (value True); did you mean 'trainer.compile'?"),
        ("trainer.checkpoint_activations=3.5", "option 'trainer.checkpoint_activations': Value '3.5'"),
        ("tracking.step_parts=often", "option 'tracking.step_parts': Value 'often' is not a valid bool"),
        ("trainer.epochs=-1", "trainer.epochs=-1: must be at least 0"),
        ("model.name=dexter", "model.name='dexter': choose one of region, dextr; did you mean 'dextr'?"),
        ("model.name=dextr", "model.share=all: model.name=dextr sees one region at a time; set model.share=none"),
        (
            "model.head=two_stage",
            "model.head=two_stage needs model.features=c4: its last stage continues from stage 4",
        ),
        ("data.flip=1.01", "data.flip=1.01: must be from 0 to 1"),
        ("data.colour=2", "data.colour=2.0: must be from 0 to 1"),
        ("data.flip=nan", "data.flip=nan: must be from 0 to 1"),
        ("optimizer.learning_rate=inf", "optimizer.learning_rate=inf: must be at least 0"),
        ("data.train_annotators=-1", "data.train_annotators='-1': choose all, median or the number of an annotator"),
        ("data.val_annotators=most", "data.val_annotators='most': choose all, median or the number of an annotator"),
    ],
)
def test_bad_override_is_named_with_the_remedy(override: str, expected: str) -> None:
    assert expected in message_of(None, override)


def test_experiments_load_without_torch_and_numpy() -> None:
    """Command lines are checked at once; torch alone takes seconds to import."""
    code = "import sys, fullseg.config.load; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def only_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is str and only_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(only_plain(item) for item in value)
    return value is None or type(value) in (str, int, float, bool)


def test_plain_holds_plain_values_and_survives_yaml_and_a_checkpoint(tmp_path: Path) -> None:
    loaded = load_config(None, ["data.root=x", "data.scale=[0.5,2]", "model.share=points", "seed=7"])
    values = plain(loaded)
    buffer = io.BytesIO()
    torch.save({"config": values}, buffer)
    buffer.seek(0)

    assert only_plain(values)
    assert values["data"]["scale"] == [0.5, 2.0]
    assert values["model"]["share"] == "points"
    assert values["resume"] is None
    assert torch.load(buffer, weights_only=True)["config"] == values
    assert yaml.safe_load(yaml.safe_dump(values)) == values
    assert load_config(write(tmp_path / "a.yaml", yaml.safe_dump(values | {"experiment": "e"}))) == load_config(
        None, ["data.root=x", "data.scale=[0.5,2]", "model.share=points", "seed=7", "experiment=e"]
    )


def test_there_are_experiments() -> None:
    assert len(FILES) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_experiment_loads_and_holds_only_what_differs(path: Path) -> None:
    loaded = load_config(path)
    options = yaml.safe_load(path.read_text()) or {}
    base = options.pop("extends", None)
    below = flat(plain(load_config(path.parent / base) if base else Config()))

    assert loaded.experiment == str(path.relative_to(EXPERIMENTS).with_suffix(""))
    assert path.read_text().startswith("# ")  # says what it is
    same = {key: value for key, value in flat(options).items() if below[key] == flat(plain(loaded))[key]}
    assert same == {}


def test_the_four_models_of_table_2_differ_in_loss_and_sharing_alone() -> None:
    models = {}
    for name in ("maskwise", "maskwise_shared", "pixelwise", "pixelwise_shared"):
        values = flat(plain(load_config(EXPERIMENTS / "bsds500" / f"{name}.yaml")))
        assert values.pop("experiment") == f"bsds500/{name}"
        models[name] = values
    rows = {name: (values.pop("loss"), values.pop("model.share")) for name, values in models.items()}

    assert rows["maskwise"] == ("maskwise", "none")
    assert rows["maskwise_shared"][0] == "maskwise"
    assert rows["maskwise_shared"][1] in ("points", "all")
    assert rows["pixelwise"] == ("pixelwise", "none")
    assert rows["pixelwise_shared"] == ("pixelwise", rows["maskwise_shared"][1])
    assert all(values == models["maskwise"] for values in models.values())
