"""The network of DEXTR: its layout, and the published weights, which have other names."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fullseg.errors import WeightsError
from fullseg.model.dextr.deeplab import PyramidNet, load_published
from fullseg.model.dextr.dextr import Dextr


def make(*, caffe: bool = True, name: str = "resnet26", seed: int = 0) -> PyramidNet:
    torch.manual_seed(seed)
    return PyramidNet(name=name, pretrained=False, caffe=caffe).eval()


def published_file(network: PyramidNet, path: Path) -> Path:
    """Write the weights under other names and without counts of batches, as the published file of an old PyTorch."""
    state = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}
    torch.save({f"layer_{number}.tensor": value for number, value in enumerate(state.values())}, path)
    return path


def test_caffes_layout() -> None:
    network = make()
    assert {module.ceil_mode for module in network.modules() if isinstance(module, torch.nn.MaxPool2d)} == {True}
    strided = [
        name
        for name, module in network.body.named_modules()
        if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2)
    ]
    assert strided == ["conv1", "layer2.0.conv1", "layer2.0.downsample.0"]
    dilations = {
        name: module.dilation[0]
        for name, module in network.body.named_modules()
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3)
    }
    assert {d for name, d in dilations.items() if name.startswith("layer3")} == {2}
    assert {d for name, d in dilations.items() if name.startswith("layer4")} == {4}
    with torch.no_grad():
        assert network(torch.zeros(1, 4, 64, 64)).shape == (1, 1, 9, 9)  # a cell per 8 px, at both ends
        assert make(caffe=False)(torch.zeros(1, 4, 64, 64)).shape == (1, 1, 8, 8)


def test_the_pyramid_is_what_its_paper_says() -> None:
    pyramid = make().pyramid
    features = torch.randn(2, 2048, 8, 8)
    parts = []
    for level, side in zip(pyramid.levels, (1, 2, 3, 6), strict=True):
        convolution, norm = level[1], level[2]
        pooled = F.adaptive_avg_pool2d(features, side)
        scene = F.relu(norm(torch.einsum("oc,bchw->bohw", convolution.weight[:, :, 0, 0], pooled)))
        parts.append(F.interpolate(scene, size=(8, 8), mode="bilinear", align_corners=True))
    convolution, norm = pyramid.bottleneck[0], pyramid.bottleneck[1]
    joined = torch.cat([*parts, features], dim=1)
    assert joined.shape[1] == 2 * 2048
    hidden = F.relu(norm(torch.einsum("oc,bchw->bohw", convolution.weight[:, :, 0, 0], joined)))
    expected = torch.einsum("oc,bchw->bohw", pyramid.last.weight[:, :, 0, 0], hidden) + pyramid.last.bias
    with torch.no_grad():
        torch.testing.assert_close(pyramid(features), expected, atol=1e-3, rtol=1e-3)


def test_published_weights_are_taken_in_order_and_their_threshold_becomes_0(tmp_path: Path) -> None:
    theirs, ours = make(seed=1), make(seed=2)
    load_published(ours, str(published_file(theirs, tmp_path / "published.pth")))
    crops = torch.randn(1, 4, 64, 64)
    with torch.no_grad():
        expected = torch.sigmoid(theirs(crops))
        logits = ours(crops)

    torch.testing.assert_close(torch.sigmoid(logits + torch.log(torch.tensor(0.8 / 0.2))), expected)
    assert torch.equal(logits > 0, expected > 0.8)


def test_the_model_loads_the_published_weights(tmp_path: Path) -> None:
    path = published_file(PyramidNet(name="resnet101", pretrained=False, caffe=True), tmp_path / "published.pth")
    dextr = Dextr(
        backbone="resnet101",
        pretrained=True,  # has no effect, as the file has all weights
        input_size=32,
        relax=50,
        weights=str(path),
        published=True,
        annotation_encoding="gaussian",
        background=True,
    )
    assert dextr.features(torch.full((1, 3, 2, 2), 200, dtype=torch.uint8)).coarse.unique().tolist() == [200]
    assert dextr.backbone.map_scale == 255


def test_wrong_files_are_refused_by_name(tmp_path: Path) -> None:
    network = make()
    with pytest.raises(WeightsError, match=r"model.dextr.weights=nowhere\.pth: no such file"):
        load_published(network, "nowhere.pth")
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=f"model.dextr.weights={broken}: not a file of weights"):
        load_published(network, str(broken))
    listed = tmp_path / "list.pth"
    torch.save([1, 2], listed)
    with pytest.raises(WeightsError, match="not a file of weights"):
        load_published(network, str(listed))
    smaller = published_file(make(name="resnet14t"), tmp_path / "smaller.pth")
    with pytest.raises(WeightsError, match=r"\d+ tensors, but this network has \d+; it takes dextr_coco.pth"):
        load_published(network, str(smaller))
    state = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}
    state["pyramid.last.bias"] = torch.zeros(2)
    other = tmp_path / "other.pth"
    torch.save(state, other)
    with pytest.raises(WeightsError, match=r"pyramid.last.bias is \(2,\), this network's pyramid.last.bias \(1,\)"):
        load_published(network, str(other))
