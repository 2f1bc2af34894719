"""`lvc train`: a data set becomes a weights file."""

import argparse
import contextlib
import hashlib
import itertools
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from lvc.cli.options import add_overwrite, add_quiet, left_alone, progress, say, setting_of, spec_of
from lvc.errors import OptionError

SUMMARY = "train a model on a data set"
INTERRUPTED = 130

# option on the command line: its type and help; the names are those of the families' training options
TRAINING = {
    "epochs": (int, "passes over the training frames"),
    "steps": (int, "an earlier end, in steps"),
    "batch": (int, "frames to a step, of each process under torchrun"),
    "lr": (float, "the highest learning rate of Adam"),
    "schedule": (str, "of the learning rate: cosine, constant or cyclic"),
    "seed": (int, "of weights, order and noise"),
    "patience": (int, "stop after so many epochs without a better validation"),
    "distortion": (
        str,
        "mse, mae, bce, ms-ssim, perceptual, or a sum as mae,ms-ssim=0.5,perceptual=0.1 (default: the model's own)",
    ),
    "adversarial": (float, "weight of an adversarial loss beside the distortion (default 0: none)"),
    "input_noise": (
        float,
        "deviation of noise on the frames that go in, in 0..1, for a model that denoises (default 0: none)",
    ),
    "rate_weight": (float, "weight of bits a pixel beside the distortion, for --quantiser round"),
    "rounding_from": (float, "share of the run after which rounding replaces its noise"),
    "clip": (float, "greatest norm of a step's gradient, to which longer ones are cut"),
    "precision": (str, "auto, float32 or bfloat16"),
    "validation_frames": (int, "frames to validate on, spread over the split"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a folder that lvc build-dataset made")
    parser.add_argument("--model", help="one of the families' models, see `lvc models`")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the model, as code=500"
    )
    parser.add_argument("--recipe", help="a named set of model and options; those given replace the recipe's")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="the weights file, .safetensors; MODEL.last.safetensors beside it keeps the run's state",
    )
    parser.add_argument("--resume", action="store_true", help="go on from MODEL.last.safetensors, on the same curve")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FILE",
        help="weights to begin with, and without --model their model, options and quantiser; for resnet18 also a "
        "classifier's (.safetensors)",
    )
    parser.add_argument(
        "--quantiser", metavar="NAME[,KEY=VALUE]", help="none, naive, scale, kmeans, round or bits:B (default naive)"
    )
    parser.add_argument(
        "--entropy",
        metavar="NAME[,KEY=VALUE]",
        help="raw, adaptive or factorised (default: what fits the quantiser best)",
    )
    for name, (kind, text) in TRAINING.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, metavar="N" if kind in (int, float) else "NAME", help=text
        )
    parser.add_argument(
        "--limit-time",
        dest="limit_seconds",
        type=float,
        metavar="SECONDS",
        help="an end by the clock; the learning rate is planned for it",
    )
    parser.add_argument("--name", help="what files coded with these weights call them (default: the output's name)")
    parser.add_argument("--description", default="", help="a line to keep with the weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s)")
    parser.add_argument("--threads", type=int, help="processor threads (default: all cores)")
    parser.add_argument("-w", "--workers", type=int, default=1, help="threads that read frames (default %(default)s)")
    parser.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="also write curves for TensorBoard (needs lvc[train])"
    )
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    if left_alone(options, options.output):
        return 0
    if options.output.suffix != ".safetensors":
        raise OptionError(f"{options.output}: a name ending in .safetensors was expected")
    import torch

    from lvc.codecs.learning.team import joined
    from lvc.dataset.read import FrameStore
    from lvc.training.train import train

    if options.start_from and options.resume and (options.model or options.recipe):
        raise OptionError("--resume goes on with the run's own weights: give it or --start-from")
    started = weights_to_start_from(options)
    recipe = chosen_recipe(options, started)
    if options.threads:
        torch.set_num_threads(options.threads)
    store = FrameStore(options.dataset)
    if started is not None:
        started.model.latent_shape(store.geometry)  # tells of sizes that do not fit
    with (
        stop_on_signals() as should_stop,
        joined(options.device) as team,
        curves(options.tensorboard if team.leads else None) as write_curves,
    ):
        records = train(
            recipe,
            store.split("train"),
            store.split("validation"),
            options.output,
            name=options.name or options.output.stem,
            description=options.description,
            dataset=facts_of(options.dataset),
            device=options.device if team.count == 1 else team.device,
            workers=options.workers,
            resume=options.resume,
            start=options.start_from,
            overwrite=options.overwrite,
            should_stop=should_stop,
            team=team,
        )
        ended = follow(records, write_curves, options) if team.leads else deque(records, maxlen=1).pop().ended
    return INTERRUPTED if ended == "interrupted" else 0


def weights_to_start_from(options: argparse.Namespace):
    """The checkpoint of --start-from where it brings its model along, or None;
    raises OptionError for what cannot go with it.
    """
    from lvc.weights import checkpoints

    if options.start_from is None or options.recipe or options.model:
        return None
    if options.option:
        raise OptionError("--start-from without --model brings a model with its options: it does not go with --option")
    return checkpoints.load(options.start_from)


def chosen_recipe(options: argparse.Namespace, started=None):
    """The recipe, the defaults or those of the weights to start from, with what was given on the command line in their
    place.
    """
    from lvc.training.recipes import continuing, first_try, recipe_of, trainer_of

    if started is not None:
        try:
            recipe = continuing(started)
        except OptionError as error:
            raise OptionError(f"{options.start_from}: {error}") from error
    elif options.recipe or options.model:
        recipe = recipe_of(options.recipe) if options.recipe else first_try(options.model)
    else:
        raise OptionError("a model to train was expected: --model NAME, --recipe NAME or --start-from FILE")
    if options.model not in (None, recipe.model):
        raise OptionError(f"recipe {options.recipe} is for {recipe.model}, and --model {options.model} was asked for")
    return trainer_of(recipe.model).chosen(
        recipe,
        options=dict(setting_of(text, "--option") for text in options.option),
        training={
            name: getattr(options, name) for name in (*TRAINING, "limit_seconds") if getattr(options, name) is not None
        },
        quantiser=spec_of(options.quantiser, "--quantiser") if options.quantiser else None,
        entropy=spec_of(options.entropy, "--entropy") if options.entropy else None,
        start=options.start_from is not None,
    )


def facts_of(dataset: Path) -> dict:
    """What the weights remember of the data set: its folder's name and the digest of its manifest."""
    manifest = dataset / "manifest.json"
    return {"name": dataset.resolve().name, "sha256": hashlib.sha256(manifest.read_bytes()).hexdigest()}


def follow(records, write_curves, options: argparse.Namespace) -> str | None:
    """Shows the records as they come; gives why the run ended."""
    # Refusals come with the first record, before there is a bar to leave behind.
    first, best = next(records), None
    last = first
    with progress(quiet=options.quiet, unit="step", description=options.output.name) as bar:
        bar.initial = bar.n = max(last.step - 1, 0)
        bar.smoothing = 0  # the time left by the whole run: steps are uneven on a busy machine
        for last in itertools.chain([first], records):
            # With a limit by the clock the steps to come are a guess, and so is the time left.
            bar.total = max(last.step, round(last.step / max(last.share, 1e-9)))
            bar.update(last.step - bar.n)
            if last.validation:
                best = last.validation if last.best else best
                if not options.quiet:
                    bar.write(as_line(last), file=sys.stderr)
            shown = {"epoch": last.epoch, "frames/s": f"{last.frames_per_second:.0f}"}
            if "loss" in last.terms:
                shown["loss"] = f"{last.terms['loss']:.5f}"
            if best:
                shown["quality"] = best.told()
            bar.set_postfix(shown, refresh=False)
            write_curves(last)
    where = f"step {last.step} of {last.steps}"
    if last.ended == "interrupted":
        say(f"{options.output}: interrupted at {where}; go on with --resume", quiet=False)
    else:
        quality = f", best {best.told()}" if best else ""
        say(f"{options.output}: trained for {last.seconds:.0f} s, {where}, {last.ended}{quality}", quiet=options.quiet)
    return last.ended


def as_line(record) -> str:
    bits = record.validation.bits
    rate = "" if bits is None else f", {bits / 8:,.0f} bytes a frame by histogram"
    mark = ", the best" if record.best else ""
    identical = f", {record.validation.identical} frames identical" if record.validation.identical else ""
    loss = f"loss {record.terms['loss']:.6f}, " if "loss" in record.terms else ""
    return (
        f"epoch {record.epoch}, step {record.step}, {record.seconds:.0f} s: {loss}validation "
        f"{record.validation.told()}{identical}{rate}{mark}"
    )


@contextlib.contextmanager
def stop_on_signals() -> Iterator:
    """Gives a question that is answered yes after SIGINT or SIGTERM; a second signal stops at once, as usual."""
    stopped = threading.Event()
    before: dict = {}

    def stop(*_):
        stopped.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def curves(folder: Path | None) -> Iterator:
    """Gives what writes a record to TensorBoard, or does nothing without a folder."""
    if folder is None:
        yield lambda _record: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise OptionError("--tensorboard needs the package tensorboard: pip install lvc[train]") from error
    writer = SummaryWriter(str(folder))

    def write(record) -> None:
        if record.learning_rate is not None:
            for name, value in {**record.terms, "learning_rate": record.learning_rate}.items():
                writer.add_scalar(f"training/{name}", value, record.step)
        if record.validation:
            if record.validation.psnr is not None:
                writer.add_scalar("validation/psnr", record.validation.psnr, record.step)
            if record.validation.bits is not None:
                writer.add_scalar("validation/bits_per_frame", record.validation.bits, record.step)

    try:
        yield write
    finally:
        writer.close()
