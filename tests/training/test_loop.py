import math
from functools import cache

import numpy as np
import pytest
import torch

from lvc.codecs.family import open_codec
from lvc.codecs.learning.optimising import learning_rate_at
from lvc.codecs.learning.progress import last_path
from lvc.codecs.learning.seeding import new_model, seeded
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.networks.training.run import Run, noisy
from lvc.codecs.neural.quantize import build
from lvc.errors import InputError, ModelError, OptionError, OutputError
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import squares
from tests.builders.small_runs import trained_in


def curve(records):
    """What must not depend on the clock."""
    return [(r.epoch, r.step, r.terms, r.learning_rate, r.validation, r.best) for r in records if not r.ended]


def weights(path):
    return checkpoints.load(path).model.state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


HYPERPRIOR = {
    "model": "gdn-attention",
    "model_options": {"channels": 4, "code": 6, "hyper": 3},
    "quantiser": {"name": "round"},
    "entropy": "hyperprior",
}


def test_training_improves_the_picture_and_writes_both_files(trained, tmp_path):
    records = trained(options={"epochs": 6, "lr": 0.03})
    validations = [record.validation for record in records if record.validation]
    assert len(validations) == 6
    assert validations[-1].psnr > validations[0].psnr + 1
    assert records[-1].ended == "all steps done"
    assert (records[-1].step, records[-1].steps) == (36, 36)
    best, last = checkpoints.load(tmp_path / "model.safetensors"), checkpoints.load(tmp_path / "model.last.safetensors")
    assert best.metadata.training["position"]["figures"]["psnr"] == max(validation.psnr for validation in validations)
    assert best.name == "conv4" and best.quantiser["name"] == "naive"
    assert best.metadata.latents["frames"] == 10
    assert best.metadata.latents["low"] <= best.metadata.latents["mean"] <= best.metadata.latents["high"]
    assert last.metadata.training["options"]["lr"] == 0.03


def test_the_seed_decides_everything(trained, tmp_path):
    first, again, other = (
        trained(f"{name}.safetensors", options={"seed": seed}) for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert curve(first) == curve(again)
    assert curve(first) != curve(other)
    assert equal(weights(tmp_path / "a.safetensors"), weights(tmp_path / "b.safetensors"))


def test_training_leaves_the_callers_random_numbers_alone(trained):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    trained(model_options={"latents": "rounded"}, quantiser={"name": "round"}, options={"epochs": 1})
    assert torch.equal(torch.rand(3), expected)


RESUMED = {
    "conv": {},
    "rate": {"model_options": {"latents": "rounded"}, "quantiser": {"name": "round"}, "entropy": "factorised"},
    "vae": {"model": "vae", "model_options": {"code": 6, "hidden": 12}, "options": {"patience": 50}},
    "bfloat16": {"options": {"precision": "bfloat16"}},
    "adversarial": {"options": {"adversarial": 0.01, "distortion": "mae,ms-ssim=0.2", "schedule": "cyclic"}},
    "noise": {"options": {"input_noise": 0.1}},
    "hyperprior": {**HYPERPRIOR, "options": {"lr": 1e-3}},
}


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory):
    """A function that gives the folder and the records of the run of a case that nobody stopped, made once."""
    folder = tmp_path_factory.mktemp("whole")

    @cache
    def whole(case):
        frames, validation = squares(2, 24, seed=1), squares(1, 10, seed=1)
        (folder / case).mkdir()
        return folder / case, trained_in(folder / case, frames, validation, "whole.safetensors", **RESUMED[case])

    return whole


@pytest.mark.parametrize("stop_at", [1, 6, 8, 13])
@pytest.mark.parametrize("case", RESUMED)
def test_a_resumed_run_gives_the_same_curve_to_the_last_bit(trained, tmp_path, whole_runs, case, stop_at):
    folder, whole = whole_runs(case)
    before = trained("parts.safetensors", stop_at=stop_at, **RESUMED[case])
    assert before[-1].ended == "interrupted"
    assert before[-1].step == stop_at
    after = trained("parts.safetensors", resume=True, **RESUMED[case])
    assert curve(before) + curve(after) == curve(whole)
    for name in ("{}.safetensors", "{}.last.safetensors"):
        whole_file, parts_file = folder / name.format("whole"), tmp_path / name.format("parts")
        assert equal(weights(whole_file), weights(parts_file))
        assert equal(checkpoints.load_state(whole_file), checkpoints.load_state(parts_file))


def test_a_finished_run_can_be_lengthened(trained):
    trained(options={"schedule": "constant", "epochs": 2})
    records = trained(resume=True, options={"schedule": "constant", "epochs": 3})
    longer = trained("longer.safetensors", options={"schedule": "constant", "epochs": 3})
    assert curve(records) == curve(longer)[-len(curve(records)) :]
    assert len([record for record in records if record.validation]) == 1


def test_resuming_a_finished_run_trains_no_further(trained, tmp_path):
    trained()
    before = weights(tmp_path / "model.safetensors")
    records = trained(resume=True)
    assert [record.ended for record in records] == ["all steps done"]
    assert equal(before, weights(tmp_path / "model.safetensors"))


def test_resume_refuses_another_run(trained, tmp_path):
    trained(options={"epochs": 1})
    with pytest.raises(OptionError, match=r"lr 0.003, not 0.1"):
        trained(resume=True, options={"lr": 0.1})
    with pytest.raises(OptionError, match="another model"):
        trained(resume=True, model_options={"channels": 8})
    with pytest.raises(ModelError, match="no such weights file"):
        trained("other.safetensors", resume=True)
    # The best weights have no state of training.
    (tmp_path / "model.safetensors").rename(tmp_path / "model.last.safetensors")
    with pytest.raises(ModelError, match="no state of training"):
        trained(resume=True)


def test_early_stop_keeps_the_best_beside_the_last(trained, tmp_path):
    # A learning rate this high soon makes validation worse than it was.
    records = trained(options={"epochs": 200, "patience": 2, "lr": 0.3, "schedule": "constant"})
    validations = [record for record in records if record.validation]
    assert records[-1].ended == "no better validation in 2 epochs"
    assert len(validations) < 200
    assert [record.best for record in validations[-3:]] == [True, False, False]
    best, last = tmp_path / "model.safetensors", tmp_path / "model.last.safetensors"
    assert not equal(weights(best), weights(last))
    position = checkpoints.load(best).metadata.training["position"]
    assert position["best_step"] == validations[-3].step
    assert position["figures"]["psnr"] == max(record.validation.psnr for record in validations)


def test_a_hyperprior_is_ready_to_code_with_the_best_weights(trained, tmp_path, training_frames):
    trained(**HYPERPRIOR, options={"epochs": 1})
    checkpoint = checkpoints.load(tmp_path / "model.safetensors")
    codec = open_codec(checkpoint, geometry=training_frames.geometry)
    assert codec.entropy_spec == {"name": "hyperprior"}
    latents = codec.analyse(training_frames.data[:3].transpose(0, 2, 3, 1))
    packets = codec.encode(latents).packets
    assert np.array_equal(codec.decode(packets).symbols, latents.symbols)
    for layer, exact in zip(checkpoint.model.hyper.synthesis, checkpoint.model.hyper.exact):
        assert torch.equal(layer.exact().weight, exact.weight)


@pytest.mark.parametrize(
    "case",
    [
        {**HYPERPRIOR, "entropy": "factorised"},
        {"entropy": "hyperprior"},
        {**HYPERPRIOR, "options": {"rate_weight": 0}},
        {**HYPERPRIOR, "quantiser": {"name": "scale"}},
    ],
)
def test_a_hyperprior_where_there_is_none_or_unused_is_refused(trained, case):
    with pytest.raises(OptionError, match="hyperprior"):
        trained(**case)


def test_the_cyclic_rate_goes_up_and_down_four_times():
    options = TrainingOptions(lr=1.0, schedule="cyclic")
    rates = [learning_rate_at(options.lr, 1000, share / 80, schedule=options.schedule) for share in range(81)]
    assert min(rates) == pytest.approx(0.1) and max(rates) == pytest.approx(1.0)
    turns = [
        place for place in range(1, 80) if (rates[place] - rates[place - 1]) * (rates[place + 1] - rates[place]) < 0
    ]
    assert turns == [10, 20, 30, 40, 50, 60, 70]


def test_a_rate_term_lowers_the_rate(trained):
    case = {"model_options": {"latents": "rounded"}, "quantiser": {"name": "round", "step": 0.5}}
    bits = []
    for number, weight in enumerate((1e-5, 3e-2)):
        records = trained(f"{number}.safetensors", options={"epochs": 12, "rate_weight": weight}, **case)
        bits.append([record.validation.bits for record in records if record.validation][-1])
    assert bits[1] < 0.7 * bits[0]


def test_factorised_tables_are_fitted_to_the_symbols_of_the_best_weights(trained, tmp_path, training_frames):
    trained(model_options={"latents": "rounded"}, quantiser={"name": "round", "step": 0.1}, entropy="factorised")
    checkpoint = checkpoints.load(tmp_path / "model.safetensors")
    tables = checkpoint.tables["factorised"]
    from lvc.codecs.learning.inputs import to_input
    from lvc.codecs.neural import quantize
    from lvc.entropy.priors import Factorised

    with torch.no_grad():
        latents = checkpoint.model.analyse(to_input(training_frames.data, torch.device("cpu")))
    symbols = quantize.build(**checkpoint.quantiser).quantise(latents).symbols.numpy()
    places = Factorised(tables).indices(symbols.shape[1:])
    learned = np.mean([tables.bits(frame.ravel(), places) for frame in symbols])
    counts = np.unique(symbols, return_counts=True)[1] / symbols.size
    one_histogram = -(counts * np.log2(counts)).sum() * symbols[0].size
    assert learned < 0.9 * one_histogram


def test_a_limit_by_the_clock_ends_well_and_can_be_resumed(trained, tmp_path):
    records = trained(options={"epochs": 10_000, "limit_seconds": 0.5})
    assert records[-1].ended == "the limit of 0.5 seconds"
    assert 0 < records[-1].step < records[-1].steps
    assert (tmp_path / "model.safetensors").exists()
    more = trained(resume=True, options={"epochs": 10_000, "limit_seconds": 1.0})
    assert more[0].step == records[-1].step + 1


def test_what_exists_is_not_overwritten(trained, tmp_path):
    (tmp_path / "model.last.safetensors").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        trained()
    assert (tmp_path / "model.last.safetensors").read_bytes() == b"precious"
    trained(overwrite=True, options={"epochs": 1})
    with pytest.raises(OutputError, match="exists already"):
        trained()


def test_a_diverging_loss_is_said_and_the_best_weights_stay(trained, tmp_path, monkeypatch):
    from lvc.codecs.networks.training import run

    trained(options={"epochs": 1})
    before = (tmp_path / "model.safetensors").read_bytes()
    monkeypatch.setattr(run, "training_loss", lambda *_, **__: {"loss": torch.tensor(math.nan, requires_grad=True)})
    with pytest.raises(ModelError, match="failed at step 7: the loss is nan"):
        trained(resume=True, options={"epochs": 2})
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_combinations_without_sense_are_refused_before_training(trained):
    with pytest.raises(OptionError, match="trained with its noise"):
        trained(quantiser={"name": "round"})
    with pytest.raises(OptionError, match="kmeans"):
        trained(quantiser={"name": "kmeans"}, entropy="factorised")
    with pytest.raises(OptionError, match="no entropy model"):
        trained(entropy="huffman")


def test_a_set_without_validation_frames_is_refused(trained, validation_frames):
    validation_frames.data = validation_frames.data[:0]
    with pytest.raises(InputError, match="no validation frames"):
        trained()


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch": 1.5},
        {"lr": 0},
        {"lr": math.nan},
        {"precision": "half"},
        {"schedule": "step"},
        {"distortion": "ssim"},
        {"distortion": "mae=x"},
        {"adversarial": -1},
        {"input_noise": -0.1},
        {"patience": 0},
        {"clip": 0},
        {"rate_weight": -1},
        {"steps": True},
    ],
)
def test_options_are_checked_by_name(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        TrainingOptions(**wrong)


def test_learning_rate_warms_up_and_falls():
    options = TrainingOptions(lr=1.0)
    assert learning_rate_at(options.lr, 0, 0.0) == pytest.approx(1 / 20)
    assert learning_rate_at(options.lr, 100, 0.5) == pytest.approx(0.51)
    assert learning_rate_at(options.lr, 100, 1.0) == pytest.approx(0.02)
    assert learning_rate_at(options.lr, 100, 0.9, schedule="constant") == 1.0


def test_draws_depend_on_seed_and_step():
    def draw(seed, step):
        with seeded(seed, step, torch.device("cpu")):
            return torch.rand(1).item()

    assert draw(1, 2) == draw(1, 2)
    assert len({draw(1, 2), draw(2, 1), draw(1, 3), draw(0, 2)}) == 4


def test_the_rate_is_of_noise_where_the_picture_is_of_rounded_latents():
    frames = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    model = new_model("conv4", geometry=Geometry(48, 32), seed=0, channels=4, latents="rounded")
    run = Run(model, build("round"), TrainingOptions(precision="float32"), device=torch.device("cpu"))
    results = []
    for rounding in (False, True):
        with seeded(0, 0, torch.device("cpu")):
            results.append(run.objective(frames, rounding))
    (noise, noisy_frames), (rounded, rounded_frames) = results
    assert torch.equal(noise["bits_per_pixel"], rounded["bits_per_pixel"]) and not torch.equal(
        noisy_frames, rounded_frames
    )
    latents = model.encode(frames)
    assert torch.allclose(model.decode(latents.round(), model.geometry), rounded_frames, atol=1e-5)


def test_a_step_cuts_its_gradient_to_the_norm_that_is_asked_for():
    frames = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    norms = []
    for clip in (None, 1e-3):
        model = new_model("conv4", geometry=Geometry(48, 32), seed=0, channels=4)
        Run(model, build("none"), TrainingOptions(clip=clip), device=torch.device("cpu")).step(
            frames, 1e-3, rounding=False
        )
        norms.append(torch.stack([part.grad.norm() for part in model.parameters()]).norm().item())
    assert norms[0] > norms[1] == pytest.approx(1e-3, rel=1e-2)


def test_noise_comes_in_and_is_no_target(trained):
    plain, noisy_one = (
        trained(f"{noise}.safetensors", options={"epochs": 1, "input_noise": noise}) for noise in (0.0, 0.3)
    )
    # The first step's loss is that of the same weights, by how far they are thrown off.
    first, thrown = plain[0].terms["loss"], noisy_one[0].terms["loss"]
    assert first != thrown and abs(thrown - first) < 0.01, "a noisy target would add most of the noise's own 0.09"


def test_noise_has_its_deviation_and_leaves_grey_pictures_grey():
    frames = torch.rand(4, 3, 40, 40) * 0.2 + 0.4
    with seeded(0, 0, torch.device("cpu")):
        apart = noisy(frames, 0.05) - frames
        grey = noisy(frames[:, :1].expand(-1, 3, -1, -1), 0.05)
        cut_off = noisy(frames, 5.0)
    # Of 19,200 draws the deviation is within 1 %, and so are the means of products of channels, which are independent.
    assert apart.std().item() == pytest.approx(0.05, rel=0.03)
    assert abs((apart[:, 0] * apart[:, 1]).mean().item()) < 0.05**2 * 0.05
    assert torch.equal(grey[:, 0], grey[:, 2]) and not torch.equal(grey[:, 0], frames[:, 0])
    assert cut_off.min() == 0 and cut_off.max() == 1


def test_last_path(tmp_path):
    assert last_path(tmp_path / "a.b.safetensors") == tmp_path / "a.b.last.safetensors"
