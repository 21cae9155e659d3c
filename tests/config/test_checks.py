"""The allowed values of options, and options that must fit together."""

import pytest

from fullseg.config.checks import parse_fraction
from fullseg.config.load import load_config, plain
from fullseg.config.schema import Config
from fullseg.config.strategies import STRATEGIES
from fullseg.errors import ConfigError
from tests.config.conftest import ALLOWED, WITH_CHOICES, WITH_LEAST, flat, message_of


def test_every_number_is_restricted() -> None:
    """A new numeric option must say its least value or its choices (a weight may be anything)."""
    defaults = flat(plain(Config()))
    numbers = {key for key, value in defaults.items() if type(value) in (int, float)}
    assert numbers - {*WITH_LEAST, *WITH_CHOICES} <= {"optimizer.class_loss_weight"}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.dextr.input_size=100", "model.dextr.input_size=100: choose a multiple of 32"),
        (
            "model.dextr.weights=w.pth",
            "model.dextr.weights=w.pth: these are weights of a ResNet-101, but model.backbone=",
        ),
        (
            "model.annotation_encoding=gaussian_box",
            "model.annotation_encoding=gaussian_box: model.name=dextr draws into the region's crop already; set",
        ),
        ("model.dextr.relaxed=3", "unknown option 'model.dextr.relaxed' (value 3); did you mean 'model.dextr.relax'?"),
    ],
)
def test_what_dextr_can_not_take_is_named(override: str, expected: str) -> None:
    assert expected in message_of(None, "model.name=dextr", "model.share=none", override)


SHARP = "model.sharp_channels=8"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model.diffusion=learned"], "model.diffusion=learned needs the map at stride 2: set model.sharp_channels"),
        ([SHARP, "model.features=c4", "model.stride=8"], "model.sharp_channels=8 needs model.features=fpn and"),
        ([SHARP, "model.diffusion=learned", "model.diffusion_dilations=[]"], "model.diffusion_dilations=[]: write"),
        ([SHARP, "model.diffusion=learned", "model.diffusion_dilations=[0,1]"], "model.diffusion_dilations=[0, 1]:"),
        (["model.kriging=learned", "loss=maskwise"], "model.kriging=learned needs loss=pixelwise: loss=maskwise"),
        ([SHARP, "model.diffusion=learned", "loss=maskwise"], "model.diffusion=learned needs loss=pixelwise"),
        (["model.name=dextr", "model.share=none", "model.kriging=fixed"], "model.kriging=fixed: model.name=dextr has"),
        (["model.name=dextr", "model.share=none", SHARP], "model.sharp_channels=8: model.name=dextr has"),
    ],
)
def test_what_spreading_needs_is_named(overrides: list[str], expected: str) -> None:
    assert expected in message_of(None, *overrides)


def test_fixed_forms_need_nothing() -> None:
    model = load_config(None, ["model.kriging=fixed", "model.diffusion=fixed", "loss=maskwise"]).model
    assert (model.kriging, model.diffusion) == ("fixed", "fixed")
    load_config(None, [SHARP, "model.kriging=learned", "model.diffusion=learned"])


def test_stride_that_the_features_have_is_fine() -> None:
    assert load_config(None, ["model.features=c4", "model.stride=16"]).model.stride == 16
    assert load_config(None, ["model.stride=8"]).model.stride == 8


@pytest.mark.parametrize("scale", ["[1]", "[]", "[0.5,1,2]", "[2,1]", "[0,1]", "[-1,1]", "[nan,1]", "[1,inf]"])
def test_bad_scale_shows_a_good_one(scale: str) -> None:
    message = message_of(None, f"data.scale={scale}")
    assert message.startswith("data.scale=[")
    assert message.endswith("write two positive numbers, smaller first: [0.75, 1.25]")


@pytest.mark.parametrize("key", ["data.train_fraction", "data.val_fraction"])
@pytest.mark.parametrize(
    "value", ["1", "0/8", "9/8", "1/0", "-1/8", "a/b", "1/8/2", "0.5", "1.0/8", "3-2/8", "0-2/8", "1-9/8", "1-/8"]
)
def test_bad_fraction_shows_a_good_one(key: str, value: str) -> None:
    assert (
        message_of(None, f"{key}={value}")
        == f"{key}={value!r}: write k/n, the k-th of n parts, for example 1/8, or j-k/n, several of them"
    )


def test_fraction_is_read_as_part_and_parts() -> None:
    assert parse_fraction("data.train_fraction", "3/8") == (3, 3, 8)
    assert parse_fraction("data.train_fraction", "8/8") == (8, 8, 8)
    assert parse_fraction("data.train_fraction", "1-9/10") == (1, 9, 10)


@pytest.mark.parametrize("key", WITH_LEAST)
def test_least_and_most_value_are_accepted_and_nothing_beyond_them(key: str) -> None:
    least, most = ALLOWED[key].least, ALLOWED[key].most
    assert least is not None
    assert message_of(None, f"{key}={least - 1}").startswith(f"{key}={least - 1}")
    assert flat(plain(load_config(None, [f"{key}={least}"])))[key] == least
    if most is not None:
        assert message_of(None, f"{key}={most + 1}").startswith(f"{key}={most + 1}")
        assert flat(plain(load_config(None, [f"{key}={most}"])))[key] == most


@pytest.mark.parametrize("key", WITH_CHOICES)
def test_every_choice_is_listed(key: str) -> None:
    wrong = "[12345]" if key == "study.strategies" else "12345"
    assert f"choose one of {', '.join(map(str, ALLOWED[key].choices))}" in message_of(None, f"{key}={wrong}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[free,fre]", "study.strategies: 'fre': choose one of per_region, free, "),
        ("[grabkut]", "; did you mean 'grabcut'?"),
        ("[]", "study.strategies=[]: name at least one, for example [free]"),
    ],
)
def test_wrong_strategies_are_named(value: str, expected: str) -> None:
    assert expected in message_of(None, f"study.strategies={value}")


def test_every_strategy_can_be_chosen() -> None:
    assert load_config(None, [f"study.strategies=[{','.join(STRATEGIES)}]"]).study.strategies == list(STRATEGIES)


def test_scribbles_come_in_rounds_or_all_at_once() -> None:
    load_config(None, ["scribbles.rounds=4", "scribbles.short=0.5"])
    with pytest.raises(ConfigError, match=r"scribbles.rounds=4: .* but scribbles.max_scribbles=2 draws all at once"):
        load_config(None, ["scribbles.rounds=4", "scribbles.max_scribbles=2"])


def test_a_study_that_would_never_take_place_is_an_error() -> None:
    load_config(None, ["trainer.epochs=8", "trainer.validate_every=2", "study.every=4"])
    with pytest.raises(ConfigError, match=r"study.every=5: training has 4 evaluations"):
        load_config(None, ["trainer.epochs=8", "trainer.validate_every=2", "study.every=5"])


def test_weights_of_a_file_and_random_weights_exclude_each_other() -> None:
    words = r"model.weights=w.pth are pretrained weights, but model.pretrained=false.*leave one of the two out"
    with pytest.raises(ConfigError, match=words):
        load_config(None, ["model.weights=w.pth", "model.pretrained=false"])
