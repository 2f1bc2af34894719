"""From a recording, or a picture, to a `.lvc` file: demux, sample, resize, and one `Writer`."""

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from lvc.codecs.codec import NO_RESTORATION, Fit, GroupCodec, tools_off
from lvc.codecs.crf import CRF_LEVELS, crf_of_psnr
from lvc.codecs.family import family_of, open_codec, traits_of
from lvc.encoding.search import Target, Trial, joined, level_for, tried
from lvc.errors import InputError, OptionError
from lvc.frames import FrameBatch, Geometry
from lvc.native.pixel_grid import PixelGrid
from lvc.native.sample import GridLost, frames_with_native, frames_with_native_ahead
from lvc.native.spread import RunsAhead, spread_runs
from lvc.output import check_output, part_of
from lvc.video.demux import VideoInfo, probe
from lvc.video.picture import read_picture
from lvc.video.resize import resize
from lvc.video.sample import FramesAhead, Sampling, sampled_ahead, sampled_frames
from lvc.weights import checkpoints
from lvc.writing.choice import AUTO, Candidate, Run, candidates, pairs_of
from lvc.writing.writer import RUN_FRAMES, Writer

PROBED = 64  # frames of a recording's beginning on which levels are tried
SETTLED, SETTLED_BYTES = 240, 1 << 26  # frames by which the taken model's quantiser is settled, and their bytes at most
PLACES = 0.35, 0.75  # shares of a recording's length at which models are tried, beside its beginning


def shown_name(path: Path) -> str:
    """The file's name as text: bytes of it that are no UTF-8 as \\xff, because a header holds Unicode alone."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Encoded:
    """What `encode` made: frames, bytes of the whole file, bytes of the same frames raw.

    sample_psnr: mean dB of a few decoded frames of the first group, a sign of whether the model suits the recording.
    crf: the quality level, of models of variable rate. tried: the models that were tried, the one taken first. notes:
    what was done that the recording does not say, as times that go on where its clock starts again, a line each.
    choice_notes: what is to be known of the choice of models on this machine, the same for every recording.
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
    choice_notes: tuple[str, ...] = ()


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
    restoration: bool = True,
    without: Collection[str] = (),
    keyint: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
    frames: FramesAhead | None = None,
) -> Encoded:
    """Codes the sampled frames of a video into a file; memory does not grow with the video's length.

    model: a name, a weights file, or AUTO for the one that is cheapest at the wanted quality, tried on frames spread
    over the recording. keyint: frames of a group, by default what suits the model. target: in place of crf, what the
    file must reach; the level is searched on the first frames, then settled on all of them.
    without: names of the model's tools that are left out, to see what they are worth.
    threads: of the video decoder; 0 means as many as the machine has cores. progress is called with the number of new
    frames. frames: what `frames_with_native_ahead` gives of the source, where that has begun already. Raises
    InputError, OptionError, ModelError or OutputError.
    """
    source, output = Path(source), Path(output)
    check_output(output, overwrite=overwrite, inputs=(source,), recoverable=True)
    info = probe(source, stream=sampling.stream)
    encoded = partial(
        _encoded,
        source,
        output,
        info,
        sampling=sampling,
        model=model,
        quantiser=quantiser,
        entropy=entropy,
        crf=crf,
        target=target,
        effort=effort,
        without=tools_off(restoration, without),
        keyint=keyint,
        device=device,
        overwrite=overwrite,
        progress=progress,
    )
    try:
        batches = frames_with_native_ahead(source, sampling, threads=threads) if frames is None else frames
        again = partial(frames_with_native, source, sampling, threads=threads)
        return encoded(batches, again)
    except GridLost as lost:
        # Nothing else can be meant by what is left: there was none before, or it was to be overwritten.
        part_of(output).unlink(missing_ok=True)
        again = partial(sampled_frames, source, sampling, threads=threads)
        made = encoded(sampled_ahead(source, sampling, threads=threads), again)
        return replace(
            made,
            notes=(f"{str(lost).removeprefix(f'{source}: ')}: all were coded as an ordinary recording's", *made.notes),
        )


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
    without: frozenset[str],
    keyint: int | None,
    device: str,
    overwrite: bool,
    progress: Callable[[int], None] | None,
) -> Encoded:
    """Codes frames into a file. again: samples the recording once more, for a target."""
    with frames as batches, contextlib.ExitStack() as stack:
        ahead = None
        if model == AUTO:  # which always asks for them
            ahead = stack.enter_context(RunsAhead(source, sampling, info, places=PLACES, frames=RUN_FRAMES))
        begun = beginning(batches, PROBED if target is not None else RUN_FRAMES)
        first = first_frames(begun, source)

        def runs() -> list[Run]:
            return spread(first, source, sampling, ahead)

        def longer_runs() -> list[np.ndarray]:
            return settling_runs(begun, batches, source, sampling)

        wanted = {"crf": crf, "quantiser": quantiser, "entropy": entropy}
        checkpoint, wanted, tried_models = decided(
            model,
            runs,
            sampling.geometry,
            grid=first.grid,
            wanted=wanted,
            target=target,
            effort=effort,
            device=device,
            without=without,
            longer_runs=longer_runs,
        )
        grid = first.grid if traits_of(checkpoint).takes_native else None
        if target is not None:
            keyint = keyint or traits_of(checkpoint).usual_keyint
            search = Search(
                checkpoint,
                sampling.geometry,
                crf=crf,
                effort=effort,
                device=device,
                grid=grid,
                without=without,
            )
            wanted = search.settled(first, target, lambda: groups_of(again(), keyint), near=wanted)
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
            **wanted,
            effort=effort,
            without=without,
            keyint=keyint,
            device=device,
            overwrite=overwrite,
            progress=progress,
        )
    return replace(made, tried=tried_models, notes=tuple(frames.notes), choice_notes=notes_of(tried_models))


def facts_of(info: VideoInfo) -> dict:
    """What a header says of the recording's pictures: their size as shown,
    and the pixels' shape where they are not square.
    """
    aspect = info.sample_aspect_ratio
    shape = {} if aspect == 1 else {"sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}"}
    return {"width": info.width, "height": info.height, **shape}


def beginning(batches: Iterator[FrameBatch], count: int) -> list[FrameBatch]:
    """As many batches as hold `count` frames, or all there are."""
    taken: list[FrameBatch] = []
    while sum(map(len, taken)) < count and (batch := next(batches, None)) is not None:
        taken.append(batch)
    return taken


def first_frames(batches: list[FrameBatch], source: Path) -> FrameBatch:
    """Up to PROBED frames of a recording's beginning."""
    if not batches:
        raise InputError(f"{source}: has a video stream but not one frame")
    return next(groups_of(batches, PROBED))


def spread(first: FrameBatch, source: Path, sampling: Sampling, ahead: RunsAhead | None) -> list[Run]:
    """Runs of frames over a recording: its beginning, and others where it is longer. first: with what is `seen`.

    ahead: the others, where they are decoded already.
    """
    batches = [
        FrameBatch(
            first.data[:RUN_FRAMES],
            first.pts[:RUN_FRAMES],
            first.time_base,
            None if first.native is None else first.native[:RUN_FRAMES],
            first.grid,
        )
    ]
    if len(first) >= RUN_FRAMES:
        known = None if first.grid is None else (first.grid, first.seen)
        if ahead is None:
            batches += spread_runs(source, sampling, places=PLACES, frames=RUN_FRAMES, known=known)
        else:
            batches += ahead.batches(known)
    return [run_of(batch) for batch in batches]


def settling_runs(
    begun: list[FrameBatch], batches: Iterator[FrameBatch], source: Path, sampling: Sampling
) -> list[np.ndarray]:
    """Longer runs of frames uint8 [T, H, W, 3]: all of a short recording in one, of others its beginning and as many at
    each of PLACES.

    begun: batches that were taken from the beginning already; those that are taken here are added to them.
    """
    frame_bytes = 3 * sampling.geometry.width * sampling.geometry.height
    count = min(SETTLED, SETTLED_BYTES // frame_bytes)
    begun += beginning(batches, count + 1 - sum(map(len, begun)))
    each = count // (1 + len(PLACES))
    if sum(map(len, begun)) <= count:
        return [np.concatenate([batch.data for batch in begun])]
    if each < RUN_FRAMES:  # of large frames the short runs have to do
        return []
    start = next(groups_of(begun, each)).data
    others = spread_runs(source, sampling, places=PLACES, frames=each)
    return [start, *(batch.data for batch in others)]


def run_of(batch: FrameBatch) -> Run:
    return Run(batch.data, batch.native)


def decided(
    model,
    runs: Callable[[], list[Run]],
    geometry: Geometry,
    *,
    grid: PixelGrid | None,
    wanted: dict,
    target: Target | None,
    effort: int | None,
    device: str,
    without: frozenset[str],
    longer_runs: Callable[[], list[np.ndarray]],
) -> tuple[checkpoints.Checkpoint, dict, tuple[Candidate, ...]]:
    """The weights that were named, or those that serve a recording best; crf, quantiser and entropy to code with; and
    what was tried.

    runs: gives frames of the recording, where some are needed; longer_runs: more, for a quantiser that they settle.
    wanted: crf, quantiser and entropy as asked for.
    """

    def settled(codec: GroupCodec, fit: Fit) -> dict | None:
        # A target is searched on all frames anyhow.
        fitted = target is None and codec.traits.fitted and fit.quantiser is not None
        return codec.settled(fit, longer_runs()).quantiser if fitted else fit.quantiser

    def opened(checkpoint: checkpoints.Checkpoint) -> GroupCodec:
        grid_used = grid if traits_of(checkpoint).takes_native else None
        return open_codec(
            checkpoint,
            geometry=geometry,
            crf=near["crf"],
            effort=effort,
            device=device,
            grid=grid_used,
            without=without,
        )

    near = dict(wanted)
    if target is not None and target.min_psnr is not None:
        near["crf"] = crf_of_psnr(target.min_psnr)
    if model == AUTO:
        if wanted["quantiser"] or wanted["entropy"]:
            raise OptionError("a quantiser or an entropy coder goes with a model: name one")
        if without - NO_RESTORATION:
            raise OptionError("tools that are left out are a model's: name one")
        found = tuple(candidates(runs(), geometry, grid=grid, crf=near["crf"], effort=effort, device=device))
        best = found[0]
        quantiser = best.fit.quantiser and settled(opened(best.checkpoint), best.fit)
        return best.checkpoint, {**near, "quantiser": quantiser}, found
    checkpoint = checkpoints.load(model, device=device)
    traits = traits_of(checkpoint)
    if not traits.fitted or wanted["quantiser"] is not None:
        return checkpoint, wanted if target is None else near, ()
    codec = opened(checkpoint)
    return checkpoint, {**near, "quantiser": settled(codec, codec.fitted(pairs_of(runs(), None)))}, ()


def notes_of(tried: tuple[Candidate, ...]) -> tuple[str, ...]:
    """What a person should know who did not name the model."""
    found = {family_of(one.checkpoint.metadata.model).note(one.checkpoint.metadata.model) for one in tried}
    return tuple(sorted(found - {""}))


class Search:
    """Finds the level of a model that meets a target, over all groups of a recording;
    raises OptionError where there is nothing to search.
    """

    def __init__(
        self,
        checkpoint: checkpoints.Checkpoint,
        geometry: Geometry,
        *,
        crf: int | None = None,
        effort: int | None,
        device: str,
        grid: PixelGrid | None = None,
        without: frozenset[str] = NO_RESTORATION,
    ):
        if crf is not None:
            raise OptionError("a target finds the crf itself: give one of them")
        self.traits = traits_of(checkpoint)
        if not self.traits.variable_rate:
            raise OptionError(
                f"a target needs a model of variable rate, and {checkpoint.name} has one rate (choose another "
                "quantiser)"
            )
        family = family_of(checkpoint.metadata.model)
        self.levels = len(family.levels(checkpoint))
        self._options = lambda level: family.at_level(checkpoint, level)
        self.codec_at = lambda level: open_codec(
            checkpoint,
            geometry=geometry,
            effort=effort,
            device=device,
            grid=grid,
            without=without,
            **self._options(level),
        )

    def settled(
        self, first: FrameBatch, target: Target, groups: Callable[[], Iterable[FrameBatch]], *, near: dict
    ) -> dict:
        """crf, quantiser and entropy to code with. near: such as are thought to come near a target of PSNR."""
        start = None
        if target.min_psnr is not None and near["quantiser"] is not None:
            start = near["quantiser"]["level"]
        level, trial = settled_level(first, target, self.codec_at, groups, levels=self.levels, near=start)
        options = self._options(level)
        if "crf" not in options:  # what the file came to
            options = {**options, "crf": 0 if trial.psnr is None else crf_of_psnr(trial.psnr)}
            if near["quantiser"] is not None:
                options["quantiser"] = {**near["quantiser"], **options["quantiser"]}
        return {"crf": None, "quantiser": None, "entropy": None, **options}


def settled_level(
    first: FrameBatch,
    target: Target,
    codec_at: Callable[[int], GroupCodec],
    groups: Callable[[], Iterable[FrameBatch]],
    *,
    levels: int = CRF_LEVELS,
    near: int | None = None,
) -> tuple[int, Trial]:
    """The level that meets the target at the least cost over all groups of a recording, and what they come to: searched
    on `first`, then tried in full.

    near: a level to begin at, in place of the search on `first`. Raises OptionError where no level does.
    """
    similarity = target.min_ssim is not None
    known: dict[int, Trial] = {}

    def trial(codec: GroupCodec, group: FrameBatch) -> Trial:
        return tried(codec, group.data, group.native, similarity=similarity)

    def whole(level: int) -> Trial:
        if level not in known:
            codec = codec_at(level)
            known[level] = joined([trial(codec, group) for group in groups()])
        return known[level]

    hardest = levels - 1 if target.bytes_per_frame is None else 0
    if near is None:
        near = level_for(target, lambda level: trial(codec_at(level), first), levels=levels)
    level = level_for(target, whole, start=levels - 1 - hardest if near is None else near, levels=levels)
    if level is None:
        raise OptionError(f"{target} cannot be reached with this model")
    return level, whole(level)


def groups_of(batches: Iterable[FrameBatch], keyint: int) -> Iterator[FrameBatch]:
    """The frames of batches in groups of `keyint`, as a Writer codes them."""
    waiting: list[FrameBatch] = []  # of one frame each
    for batch in batches:
        for place in range(len(batch)):
            here = slice(place, place + 1)
            native = None if batch.native is None else batch.native[here].copy()
            data = batch.data[here].copy()
            waiting.append(FrameBatch(data, batch.pts[here], batch.time_base, native, batch.grid, batch.seen))
            if len(waiting) == keyint:
                yield one_batch(waiting)
                waiting = []
    if waiting:
        yield one_batch(waiting)


def one_batch(parts: list[FrameBatch]) -> FrameBatch:
    native = None if parts[0].native is None else np.concatenate([part.native for part in parts])
    pts = tuple(time for part in parts for time in part.pts)
    data = np.concatenate([part.data for part in parts])
    return FrameBatch(data, pts, parts[0].time_base, native, parts[0].grid, parts[0].seen)


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
    restoration: bool = True,
    without: Collection[str] = (),
    device: str = "cpu",
    overwrite: bool = False,
) -> Encoded:
    """Codes a png or jpg into a file of one frame at time 0, at its own size or that of `geometry`.

    The other options are as of `encode`. Raises InputError, OptionError, ModelError or OutputError.
    """
    source, output, without = Path(source), Path(output), tools_off(restoration, without)
    check_output(output, overwrite=overwrite, inputs=(source,), recoverable=True)
    picture = read_picture(source)
    height, width = picture.shape[:2]
    if geometry is not None:
        picture = resize(picture[None], geometry)[0]
    batch = FrameBatch(np.ascontiguousarray(picture[None]), (0,), Fraction(1))
    wanted = {"crf": crf, "quantiser": quantiser, "entropy": entropy}
    checkpoint, wanted, tried_models = decided(
        model,
        lambda: [run_of(batch)],
        batch.geometry,
        grid=None,
        wanted=wanted,
        target=target,
        effort=effort,
        device=device,
        without=without,
        longer_runs=lambda: [batch.data],
    )
    if target is not None:
        search = Search(checkpoint, batch.geometry, crf=crf, effort=effort, device=device, without=without)
        wanted = search.settled(batch, target, lambda: [batch], near=wanted)
    made = coded(
        [batch],
        source,
        output,
        geometry=batch.geometry,
        time_base=batch.time_base,
        facts={"name": shown_name(source), "width": width, "height": height},
        model=checkpoint,
        frame_duration=1,
        **wanted,
        effort=effort,
        without=without,
        device=device,
        overwrite=overwrite,
    )
    return replace(made, tried=tried_models, choice_notes=notes_of(tried_models))


def coded(
    batches: Iterable[FrameBatch],
    source: Path,
    output: Path,
    *,
    facts: dict,
    progress: Callable[[int], None] | None = None,
    **options,
) -> Encoded:
    """Writes batches into a file as they come. facts: about the source, for the header. options:
    the rest of the Writer's.
    """
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
    return Encoded(
        output,
        frames,
        output.stat().st_size,
        raw_bytes,
        writer.header.model["name"],
        writer.sample_psnr,
        writer.codec.crf,
    )
