"""`lvc report`: per-frame quality of a `.lvc` file against its source, as a page, JSON or CSV."""

import argparse
import re
import sys
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path

from lvc.cli.options import PARTLY_DONE, add_model, add_overwrite, add_quiet, progress, say
from lvc.errors import OptionError
from lvc.output import check_output, written_whole

SUMMARY = "measure a .lvc file against its source: PSNR, SSIM and bytes by frame"
# suffix: method of Report that writes it
WRITERS = {".html": "write_html", ".json": "write_json", ".csv": "write_csv"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the .lvc file")
    parser.add_argument("source", type=Path, help="the recording that it was made from")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="where to write: .html is a page to look at, .json and .csv are for programs; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="write the JSON to stdout")
    parser.add_argument(
        "--worst", type=int, default=12, metavar="N", help="pictures of the N worst frames in the page (12)"
    )
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu, cuda (cpu)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    outputs = wanted_outputs(options)
    if options.output and not outputs and not options.json:
        return 0

    damage: list = []
    report = measure(
        options.file,
        options.source,
        model=options.model,
        device=options.device,
        worst=options.worst,
        quiet=options.quiet,
        on_damage=damage.append,
    )
    write_reports(
        report, outputs, inputs=(options.file, options.source), overwrite=options.overwrite, quiet=options.quiet
    )
    if options.json:
        report.write_json(sys.stdout)
    elif not options.output:
        print(headline(report.totals()))
    else:
        say(headline(report.totals()), quiet=options.quiet)
    for one in damage:
        say(f"lvc report: {options.file}: {one}", quiet=False)
    return PARTLY_DONE if damage else 0


def measure(
    file: Path, source: Path, *, model=None, device: str = "cpu", worst: int = 12, quiet: bool = False, on_damage=None
):
    """The Report of a file against its recording, with a progress bar;
    on_damage is told what of the file is missing.
    """
    import cv2

    import lvc
    from lvc.quality.report import Comparison, ReportBuilder
    from lvc.video.sample import sampled_ahead

    cv2.setNumThreads(1)  # on pictures this small OpenCV's threads cost more than they give
    with ExitStack() as open_files:
        reader = open_files.enter_context(closing(lvc.open(file, model=model, device=device)))
        for damage in reader.damage if on_damage else ():
            on_damage(damage)
        frames = open_files.enter_context(sampled_ahead(source, sampling_of(reader)))
        comparison = Comparison(reader, frames)
        builder = ReportBuilder(len(reader), worst=worst)
        with progress(quiet=quiet, total=len(reader), unit="frame", description="report") as bar:
            for compared in comparison:
                builder.add(compared)
                bar.update()
        return builder.finish(comparison, reader, path=file, source=source)


def write_reports(report, outputs: list[Path], *, inputs: tuple[Path, ...], overwrite: bool, quiet: bool) -> None:
    with ExitStack() as whole:
        # All under temporary names first: either every output appears or none does.
        for path in outputs:
            part = whole.enter_context(written_whole(path, overwrite=overwrite, inputs=inputs))
            with open(part, "w", encoding="utf-8", newline="") as file:
                getattr(report, WRITERS[path.suffix.lower()])(file)
    for path in outputs:
        say(f"wrote {path}", quiet=quiet)


def wanted_outputs(options: argparse.Namespace) -> list[Path]:
    """The outputs to write, checked before the work begins."""
    if options.worst < 0:
        raise OptionError(f"--worst is a number of frames from 0, not {options.worst}")
    outputs = []
    for path in options.output:
        if path.suffix.lower() not in WRITERS:
            raise OptionError(f"{path}: a report ends in {', '.join(WRITERS)}")
        if path in outputs:
            raise OptionError(f"{path}: is given twice")
        if options.never_overwrite and path.is_file():
            say(f"{path}: exists, left as it is", quiet=options.quiet)
            continue
        check_output(path, overwrite=options.overwrite, inputs=(options.file, options.source))
        outputs.append(path)
    return outputs


def sampling_of(reader):
    """The sampling that the file's header states, at the file's size."""
    from lvc.video.sample import Sampling

    source = reader.metadata.source
    fps = source.get("fps")
    every = source.get("every")
    if fps is None and every is None:
        raise OptionError(
            "the file does not say how its source was sampled, so that nothing can be measured against it"
        )
    stream = stated_stream(source)
    if every is not None:
        return Sampling(every=every, geometry=reader.geometry, stream=stream)
    # Fraction alone would also take "1e999999999", and fill the memory with it.
    if not re.fullmatch(r"[0-9]{1,9}(/[0-9]{0,8}[1-9][0-9]{0,8})?", str(fps)):
        raise OptionError(
            f"the file says that its source was sampled at {str(fps)[:40]!r} frames a second; as 3 or 30000/1001 was "
            "expected"
        )
    return Sampling(every=None, fps=Fraction(str(fps)), geometry=reader.geometry, stream=stream)


def stated_stream(source: dict) -> int | None:
    """The video stream of a recording that a file says it was made from;
    None for the one that is taken without saying.
    """
    stream = source.get("stream")
    return stream if type(stream) is int and stream >= 0 else None


def headline(totals: dict) -> str:
    psnr, ssim = totals["psnr_mean_of_frames"], totals["ssim_mean"]
    parts = [
        f"{totals['measured_frames']} frames",
        f"{totals['bytes_per_frame']:.1f} bytes a frame",
        f"{totals['ratio_to_raw']:.1f}x smaller than raw",
        "identical to the source"
        if psnr is None
        else f"PSNR {psnr:.2f} dB (of mean MSE {totals['psnr_of_mean_mse']:.2f} dB)",
    ]
    if ssim is not None:
        parts.append(f"SSIM {ssim:.4f}")
    for name, where in (("unmatched_decoded_frames", "file"), ("unmatched_source_frames", "source")):
        if totals[name]:
            parts.append(f"{totals[name]} frames of the {where} have no partner")
    return ", ".join(parts)
