import pytest
import torch
from safetensors.torch import save_file

from lvc.codecs.family import build
from lvc.codecs.networks.training.start import start_from
from lvc.errors import ModelError
from lvc.frames import Geometry

SMALL = Geometry(32, 32)


def resnet(seed):
    torch.manual_seed(seed)
    return build("resnet18", geometry=SMALL, channels=4, code=6)


@pytest.fixture
def classifier(tmp_path):
    """A file as classifiers are published: the encoder's tensors without a prefix, and a last layer."""
    path = tmp_path / "resnet18.safetensors"
    tensors = {
        name: tensor.contiguous()
        for name, tensor in resnet(1).encoder.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file({**tensors, "fc.weight": torch.zeros(10, 32), "fc.bias": torch.zeros(10)}, path)
    return path


def test_a_classifiers_weights_become_the_encoders(classifier):
    model, source = resnet(2), resnet(1)
    decoder = {name: tensor.clone() for name, tensor in model.decoder.state_dict().items()}
    frames = torch.rand(2, 3, 32, 32)
    assert not torch.equal(model.eval().encoder(frames), source.eval().encoder(frames))
    assert start_from(model, classifier) == 20 + 4 * 20  # convolutions, and four numbers of each normalisation
    assert torch.equal(model.encoder(frames), source.encoder(frames))
    assert all(torch.equal(tensor, decoder[name]) for name, tensor in model.decoder.state_dict().items())


def test_names_are_those_of_the_well_known_classifier():
    names = resnet(0).encoder.state_dict().keys()
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv1.weight",
        "layer2.0.downsample.0.weight",
        "layer4.1.bn2.bias",
    } <= names


def test_a_whole_models_weights_are_taken(tmp_path):
    source, model = resnet(1), resnet(2)
    save_file(
        {f"model.{name}": tensor.contiguous() for name, tensor in source.state_dict().items()},
        tmp_path / "a.safetensors",
    )
    start_from(model, tmp_path / "a.safetensors")
    assert all(torch.equal(one, other) for one, other in zip(model.state_dict().values(), source.state_dict().values()))


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda tensors: tensors.pop("layer3.0.bn1.weight"), "lacks layer3.0.bn1.weight"),
        (lambda tensors: tensors.update(layer5=torch.zeros(1)), "layer5"),
        (lambda tensors: tensors.update({"bn1.bias": torch.zeros(5)}), r"bn1.bias has the shape \[5\], \[4\] expected"),
        (lambda tensors: tensors.update({"bn1.bias": torch.full((4,), torch.nan)}), "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, reason):
    tensors = {name: tensor.contiguous() for name, tensor in resnet(1).encoder.state_dict().items()}
    change(tensors)
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=reason):
        start_from(resnet(2), tmp_path / "a.safetensors")


def test_what_is_no_weights_file_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"pickle")
    for name in ("a.safetensors", "nowhere.safetensors"):
        with pytest.raises(ModelError, match=name):
            start_from(resnet(2), tmp_path / name)
