"""From a recording, or a picture, to a `.lvc` file: demux, sample, resize, and one `Writer`."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from lvc.codecs.codec import GroupCodec
from lvc.codecs.crf import CRF_LEVELS
from lvc.codecs.family import open_codec, traits_of
from lvc.encoding.search import Candidate, Target, Trial, joined, level_for, ranked, tried
from lvc.errors import InputError, OptionError
from lvc.frames import FrameBatch, Geometry
from lvc.native.pixel_grid import PixelGrid
from lvc.native.sample import GridLost, frames_with_native, frames_with_native_ahead
from lvc.output import check_output, part_of
from lvc.video.demux import VideoInfo, probe
from lvc.video.picture import read_picture
from lvc.video.resize import resize
from lvc.video.sample import FramesAhead, Sampling, sampled_ahead, sampled_frames
from lvc.weights import checkpoints
from lvc.writing.writer import DEFAULT_KEYINT, Writer

AUTO = "auto"  # in place of a model's name
PROBED = 64  # frames of a recording's beginning on which levels are tried
RANKED = 16  # frames of it on which models are tried: these differ by far more than the frames do


def shown_name(path: Path) -> str:
    """The file's name as text: bytes of it that are no UTF-8 as \\xff, because a header holds Unicode alone."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Encoded:
    """What `encode` made: frames, bytes of the whole file, bytes of the same frames raw.

    sample_psnr: mean dB of a few decoded frames of the first group, a sign of whether the model suits the recording. crf: the
    quality level, of models of variable rate. tried: the models that were tried, the one taken first. notes: what was done that the recording
    does not say, as times that go on where its clock starts again, a line each.
    """

    path: Path
    frames: int
    file_bytes: int
    raw_bytes: int
    model: str
    sample_psnr: float | None
    crf: int | None = None
    tried: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()


def encode(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    sampling: Sampling,
    model: str | os.PathLike = AUTO,
    quantiser: dict | None = None,
    entropy: dict | None = None,
    crf: int | None = None,
    target: Target | None = None,
    effort: int | None = None,
    keyint: int = DEFAULT_KEYINT,
    device: str = "cpu",
    overwrite: bool = False,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
    frames: FramesAhead | None = None,
) -> Encoded:
    """Codes the sampled frames of a video into a file; memory does not grow with the video's length.

    model: a name, a weights file, or AUTO for the shipped model that serves the first frames best. target: in place of crf,
    what the file must reach; the level is searched on the first frames, then settled on all of them.
    threads: of the video decoder; 0 means as many as the machine has cores. progress is called with the number of new frames. frames: what `frames_with_native_ahead` gives of the
    source, where that has begun already. Raises InputError, OptionError, ModelError or OutputError.
    """
    source, output = Path(source), Path(output)
    check_output(output, overwrite=overwrite, inputs=(source,), recoverable=True)
    info = probe(source, stream=sampling.stream)
    options = {
        "sampling": sampling,
        "model": model,
        "quantiser": quantiser,
        "entropy": entropy,
        "crf": crf,
        "target": target,
        "effort": effort,
        "keyint": keyint,
        "device": device,
        "overwrite": overwrite,
        "progress": progress,
    }
    try:
        batches = frames_with_native_ahead(source, sampling, threads=threads) if frames is None else frames
        again = lambda: frames_with_native(source, sampling, threads=threads)
        return _encoded(source, output, info, batches, again, **options)
    except GridLost as lost:
        # Nothing else can be meant by what is left: there was none before, or it was to be overwritten.
        part_of(output).unlink(missing_ok=True)
        again = lambda: sampled_frames(source, sampling, threads=threads)
        made = _encoded(source, output, info, sampled_ahead(source, sampling, threads=threads), again, **options)
        return replace(made, notes=(f"{str(lost).removeprefix(f'{source}: ')}: all were coded as an ordinary recording's", *made.notes))


def _encoded(
    source: Path,
    output: Path,
    info: VideoInfo,
    frames: FramesAhead,
    again: Callable[[], Iterator[FrameBatch]],
    *,
    sampling: Sampling,
    model: str | os.PathLike,
    quantiser: dict | None,
    entropy: dict | None,
    crf: int | None,
    target: Target | None,
    effort: int | None,
    keyint: int,
    device: str,
    overwrite: bool,
    progress: Callable[[int], None] | None,
) -> Encoded:
    """Codes frames into a file. again: samples the recording once more, for a target."""
    with frames as batches:
        begun = beginning(batches, PROBED if target is not None else RANKED if model == AUTO else 1)
        first = first_frames(begun, source)
        checkpoint, candidates = model_for(model, first, sampling.geometry, crf=crf, specified=quantiser or entropy, device=device)
        grid = first.grid if traits_of(checkpoint).takes_native else None
        if target is not None:
            codec_at = levels_of(checkpoint, sampling.geometry, crf=crf, effort=effort, device=device, grid=grid)
            crf = settled_level(first, target, codec_at, lambda: groups_of(again(), keyint))
        made = coded(
            chain(begun, batches),
            source,
            output,
            geometry=sampling.geometry,
            grid=grid,
            time_base=info.time_base,
            facts={"name": shown_name(source), **facts_of(info), **sampling.as_json()},
            model=checkpoint,
            frame_duration=sampling.nominal_ticks(info),
            quantiser=quantiser,
            entropy=entropy,
            crf=crf,
            effort=effort,
            keyint=keyint,
            device=device,
            overwrite=overwrite,
            progress=progress,
        )
    return replace(made, tried=candidates, notes=tuple(frames.notes))


def facts_of(info: VideoInfo) -> dict:
    """What a header says of the recording's pictures: their size as shown, and the pixels' shape where they are not square."""
    aspect = info.sample_aspect_ratio
    shape = {} if aspect == 1 else {"sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}"}
    return {"width": info.width, "height": info.height, **shape}


def beginning(batches: Iterator[FrameBatch], count: int) -> list[FrameBatch]:
    """As many batches as hold `count` frames, or all there are."""
    taken = []
    while sum(map(len, taken)) < count and (batch := next(batches, None)) is not None:
        taken.append(batch)
    return taken


def first_frames(batches: list[FrameBatch], source: Path) -> FrameBatch:
    """Up to PROBED frames of a recording's beginning."""
    if not batches:
        raise InputError(f"{source}: has a video stream but not one frame")
    return next(groups_of(batches, PROBED))


def model_for(model, first: FrameBatch, geometry: Geometry, *, crf: int | None, specified, device: str) -> tuple[checkpoints.Checkpoint, tuple[Candidate, ...]]:
    """The weights that were named, or those that serve the first frames best, and which were tried for that."""
    if model != AUTO:
        return checkpoints.load(model, device=device), ()
    if specified:
        raise OptionError("a quantiser or an entropy coder goes with a model: name one")
    native = None if first.native is None else first.native[:RANKED]
    candidates = tuple(ranked(first.data[:RANKED], geometry, native=native, grid=first.grid, crf=crf, device=device))
    return candidates[0].checkpoint, candidates


def levels_of(
    checkpoint: checkpoints.Checkpoint, geometry: Geometry, *, crf: int | None, effort: int | None, device: str, grid: PixelGrid | None = None
) -> Callable[[int], GroupCodec]:
    """Makes the codec of each level; raises OptionError where there is nothing to search."""
    if crf is not None:
        raise OptionError("a target finds the crf itself: give one of them")
    if not traits_of(checkpoint).variable_rate:
        raise OptionError(f"a target needs a model of variable rate, and {checkpoint.name} has one rate (choose another quantiser)")
    return lambda level: open_codec(checkpoint, geometry=geometry, crf=level, effort=effort, device=device, grid=grid)


def settled_level(first: FrameBatch, target: Target, codec_at: Callable[[int], GroupCodec], groups: Callable[[], Iterable[FrameBatch]]) -> int:
    """The level that meets the target at the least cost over all groups of a recording: searched on `first`, then tried in full.

    Raises OptionError where no level does.
    """
    similarity = target.min_ssim is not None

    def trial(codec: GroupCodec, group: FrameBatch) -> Trial:
        return tried(codec, group.data, group.native, similarity=similarity)

    def whole(level: int) -> Trial:
        codec = codec_at(level)
        return joined([trial(codec, group) for group in groups()])

    hardest = CRF_LEVELS - 1 if target.bytes_per_frame is None else 0
    near = level_for(target, lambda level: trial(codec_at(level), first))
    level = level_for(target, whole, start=CRF_LEVELS - 1 - hardest if near is None else near)
    if level is None:
        raise OptionError(f"{target} cannot be reached with this model")
    return level


def groups_of(batches: Iterable[FrameBatch], keyint: int) -> Iterator[FrameBatch]:
    """The frames of batches in groups of `keyint`, as a Writer codes them."""
    waiting: list[FrameBatch] = []  # of one frame each
    for batch in batches:
        for place in range(len(batch)):
            here = slice(place, place + 1)
            native = None if batch.native is None else batch.native[here].copy()
            waiting.append(FrameBatch(batch.data[here].copy(), batch.pts[here], batch.time_base, native, batch.grid))
            if len(waiting) == keyint:
                yield one_batch(waiting)
                waiting = []
    if waiting:
        yield one_batch(waiting)


def one_batch(parts: list[FrameBatch]) -> FrameBatch:
    native = None if parts[0].native is None else np.concatenate([part.native for part in parts])
    pts = tuple(time for part in parts for time in part.pts)
    return FrameBatch(np.concatenate([part.data for part in parts]), pts, parts[0].time_base, native, parts[0].grid)


def encode_picture(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    geometry: Geometry | None = None,
    model: str | os.PathLike = AUTO,
    quantiser: dict | None = None,
    entropy: dict | None = None,
    crf: int | None = None,
    target: Target | None = None,
    effort: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> Encoded:
    """Codes a png or jpg into a file of one frame at time 0, at its own size or that of `geometry`.

    The other options are as of `encode`. Raises InputError, OptionError, ModelError or OutputError.
    """
    source, output = Path(source), Path(output)
    check_output(output, overwrite=overwrite, inputs=(source,), recoverable=True)
    picture = read_picture(source)
    height, width = picture.shape[:2]
    if geometry is not None:
        picture = resize(picture[None], geometry)[0]
    batch = FrameBatch(np.ascontiguousarray(picture[None]), (0,), Fraction(1))
    checkpoint, candidates = model_for(model, batch, batch.geometry, crf=crf, specified=quantiser or entropy, device=device)
    if target is not None:
        crf = settled_level(batch, target, levels_of(checkpoint, batch.geometry, crf=crf, effort=effort, device=device), lambda: [batch])
    made = coded(
        [batch],
        source,
        output,
        geometry=batch.geometry,
        time_base=batch.time_base,
        facts={"name": shown_name(source), "width": width, "height": height},
        model=checkpoint,
        frame_duration=1,
        quantiser=quantiser,
        entropy=entropy,
        crf=crf,
        effort=effort,
        device=device,
        overwrite=overwrite,
    )
    return replace(made, tried=candidates)


def coded(
    batches: Iterable[FrameBatch],
    source: Path,
    output: Path,
    *,
    facts: dict,
    progress: Callable[[int], None] | None = None,
    **options,
) -> Encoded:
    """Writes batches into a file as they come. facts: about the source, for the header. options: the rest of the Writer's."""
    empty = True
    with Writer(output, source=facts, inputs=(source,), **options) as writer:
        for batch in batches:
            empty = False
            writer.write(batch)
            if progress:
                progress(len(batch))
        if empty:
            raise InputError(f"{source}: has a video stream but not one frame")
    frames, geometry = writer.frames_written, writer.geometry
    raw_bytes = frames * geometry.width * geometry.height * 3
    return Encoded(output, frames, output.stat().st_size, raw_bytes, writer.header.model["name"], writer.sample_psnr, writer.codec.crf)
