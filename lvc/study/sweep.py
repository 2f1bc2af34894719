"""All points of a study, one after another, each kept as soon as it is measured.

study.json          the settings that all points have in common
points/CASE.json    the figures of one point
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from lvc.codecs import family as models
from lvc.codecs.networks.training.options import is_number
from lvc.codecs.neural import quantize
from lvc.errors import InputError, OptionError, OutputError
from lvc.output import written_whole
from lvc.study.pictures import Amounts, PictureSet
from lvc.study.point import CURVES, Case, Settings, measure_point
from lvc.study.systems import SYSTEMS, configuration
from lvc.weights import checkpoints

FILE_NAME, POINTS = "study.json", "points"
FORMAT, VERSION = "lvc study", 1
MAX_POINT_BYTES = 1 << 20
CASE = ("source", "system", "code", "denoising")
NUMBERS = (
    "width",
    "height",
    "raw_bytes",
    "file_bytes",
    "packet_bytes",
    "file_ratio",
    "ratio_of_dimensions",
    "test_loss",
)
# None where an error is 0, nothing was coded, or one step was trained
PERHAPS = ("psnr", "packet_ratio", "training_seconds", "gained_db")


@dataclass(frozen=True)
class PointDone:
    """A point is measured. kept: it was there already, from an earlier run."""

    case: Case
    figures: dict
    kept: bool


def study(
    cases: list[Case],
    sets: Mapping[str, PictureSet],
    folder: Path,
    *,
    settings: Settings,
    amounts: Amounts,
    device: str = "cpu",
    overwrite: bool = False,
    on_step: Callable[[Case, int], None] = lambda _case, _step: None,
) -> Iterator[PointDone]:
    """Measures each case that is not in the folder yet, on its set and all others, and yields it.

    sets: by name, those of the cases among them. on_step is told how many steps of a case are done. overwrite: an
    earlier study in the folder is removed.
    Raises OptionError before anything is written where a case makes no sense or the folder's study has other settings,
    OutputError for a folder of other things.
    """
    folder = Path(folder)
    checkpoints.device_of(device)
    for case in cases:
        check_case(case, sets[case.source], settings)
    content = {"format": FORMAT, "version": VERSION, "settings": asdict(settings), "pictures": asdict(amounts)}
    start_study(folder, json.loads(json.dumps(content)), overwrite=overwrite)
    for case in cases:
        check_same_pictures(folder, case, sets)
    for case in cases:
        figures = read_point(path_of(folder, case))
        kept = figures is not None and all(name in figures["elsewhere"] for name in sets if name != case.source)
        if not kept:
            figures = measure_point(case, sets, settings, device=device, on_step=partial(on_step, case))
            with written_whole(path_of(folder, case), overwrite=True) as part:
                part.write_text(json.dumps(figures) + "\n", encoding="utf-8")
        yield PointDone(case, figures, kept)


def check_case(case: Case, pictures: PictureSet, settings: Settings) -> None:
    """Builds the model without its memory, and the quantiser; raises OptionError for one that cannot be."""
    name, options = configuration(case.system, case.code, pictures.geometry, latents=settings.latents)
    with torch.device("meta"):
        model = models.build(name, geometry=pictures.geometry, **options)
    quantize.build(**settings.quantiser, latent_range=model.latent_range)


def start_study(folder: Path, content: dict, *, overwrite: bool) -> None:
    """Makes the folder, or finds a study of the same settings in it; raises OptionError or OutputError."""
    file = folder / FILE_NAME
    try:
        if file.exists() and overwrite:
            for path in (folder / POINTS).glob("*.json"):
                path.unlink()
        elif file.exists():
            check_same_settings(file, content)
            return
        elif folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is no folder of a study, and not empty; choose another")
        (folder / POINTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    with written_whole(file, overwrite=overwrite) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def check_same_settings(file: Path, content: dict) -> None:
    there = read_json(file)
    if not isinstance(there, dict) or there.get("format") != FORMAT or there.get("version") != VERSION:
        raise OutputError(f"{file}: is no study of this lvc; choose another folder, or start again with -y")
    for part in ("settings", "pictures"):
        for name, value in content[part].items():
            before = there[part].get(name) if isinstance(there.get(part), dict) else None
            if before != value:
                raise OptionError(
                    f"{file.parent}: holds a study with {name} {before}, not {value}; choose another folder, or start "
                    "again with -y"
                )


def check_same_pictures(folder: Path, case: Case, sets: Mapping[str, PictureSet]) -> None:
    """Raises OptionError where a point was measured on other pictures than those that are called so now."""
    if (figures := read_point(path_of(folder, case))) is None:
        return
    for name, sha256 in (
        (case.source, figures["sha256"]),
        *((name, one["sha256"]) for name, one in figures["elsewhere"].items()),
    ):
        if name in sets and sets[name].sha256 != sha256:
            raise OptionError(
                f"{folder}: {case} was measured on other pictures called {name}; choose another folder, or start "
                "again with -y"
            )


def path_of(folder: Path, case: Case) -> Path:
    return folder / POINTS / f"{case}.json"


def read_point(path: Path) -> dict | None:
    """The figures of a point, or None where it is not measured yet; InputError for a file that is none."""
    if not path.exists():
        return None
    figures = read_json(path)
    if not is_point(figures) or path.name != f"{Case(*(figures[name] for name in CASE))}.json":
        raise InputError(f"{path}: holds no figures of a point; remove it, and it is measured again")
    return figures


def is_point(figures) -> bool:
    """Whether figures from a file hold all that tables and plots are made of."""
    try:
        case = Case(*(figures[name] for name in CASE))
        known = (
            isinstance(case.source, str)
            and case.system in SYSTEMS
            and type(case.code) is int
            and type(case.denoising) is bool
        )
        others = figures["elsewhere"].values()
        return (
            known
            and isinstance(figures["grey"], bool)
            and all(isinstance(one["sha256"], str) for one in (figures, *others))
            and all(is_number(figures[name]) for name in NUMBERS)
            and all(
                one is None or is_number(one)
                for one in (*(figures[name] for name in PERHAPS), *(other["psnr"] for other in others))
            )
            and all(is_number(other["packet_bytes"]) for other in others)
            and all(is_number(value) for name in CURVES for pair in figures[name] for value in pair)
            and all(len(pair) == 2 for name in CURVES for pair in figures[name])
        )
    except (KeyError, TypeError, AttributeError):
        return False


def read_points(folder: Path) -> list[dict]:
    """The figures of all points in the folder, whatever run measured them, in order."""
    points = [read_point(path) for path in sorted((folder / POINTS).glob("*.json"))]
    return sorted(points, key=lambda one: (one["source"], one["denoising"], one["system"], one["code"]))


def read_json(path: Path):
    try:
        if path.stat().st_size > MAX_POINT_BYTES:
            raise InputError(f"{path}: has {path.stat().st_size:,} bytes, at most {MAX_POINT_BYTES:,} expected")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
