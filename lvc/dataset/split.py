"""Which recordings train, which validate and which test: by ratio, by name or by a recipe, always whole recordings."""

import json
import random
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from lvc.dataset.manifest import SPLITS
from lvc.errors import InputError, OptionError


@dataclass(frozen=True)
class RatioSplit:
    """Splits by number of recordings, train : validation : test, drawn from a seed.

    Each part above 0 gets at least one recording as long as there are enough, train before validation before test.
    """

    ratio: tuple[int, int, int] = (8, 1, 1)
    seed: int = 0

    def __post_init__(self):
        if len(self.ratio) != 3 or any(part < 0 for part in self.ratio) or sum(self.ratio) == 0:
            raise OptionError(f"a split is TRAIN:VALIDATION:TEST, three numbers from 0, not {self.ratio}")

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> "RatioSplit":
        """Reads "25:4:1"; raises OptionError."""
        parts = text.split(":")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise OptionError(f"a split is written TRAIN:VALIDATION:TEST, as in 25:4:1, not {text!r}")
        train, validation, test = map(int, parts)
        return cls((train, validation, test), seed)

    def assign(self, sources: dict[str, Path]) -> dict[str, str]:
        """Splits `{name: path}`, independent of the order given."""
        shuffled = sorted(sources)
        random.Random(self.seed).shuffle(shuffled)
        splits = [split for split, count in zip(SPLITS, self.counts(len(sources))) for _ in range(count)]
        return dict(zip(shuffled, splits))

    def counts(self, total: int) -> list[int]:
        """Recordings in each split, by the method of Sainte-Laguë, after one for each part above 0."""
        counts = [0, 0, 0]
        wanted = [part for part in range(3) if self.ratio[part] > 0]
        for part in wanted[:total]:
            counts[part] = 1
        for _ in range(total - sum(counts)):
            part = max(wanted, key=lambda part: self.ratio[part] / (2 * counts[part] + 1))
            counts[part] += 1
        return counts


@dataclass(frozen=True)
class NamedSplit:
    """Recordings that match a pattern validate or test; all others train.

    A pattern is a name, a path or a glob ("video_2?.mp4", "held_out/*"), matched against the name of a recording
    in the data set, its file name and its path.
    """

    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def assign(self, sources: dict[str, Path]) -> dict[str, str]:
        """Splits `{name: path}`; raises OptionError for a pattern that matches nothing,
        or a recording in two splits.
        """
        splits = dict.fromkeys(sources, "train")
        for split, patterns in (("validation", self.validation), ("test", self.test)):
            for pattern in patterns:
                matched = [name for name, path in sources.items() if matches(pattern, name, path)]
                if not matched:
                    raise OptionError(f"--{split} {pattern}: none of the recordings has this name")
                for name in matched:
                    if splits[name] not in ("train", split):
                        raise OptionError(f"{name}: is named for both {splits[name]} and {split}")
                    splits[name] = split
        return splits


def matches(pattern: str, name: str, path: Path) -> bool:
    return any(
        text == pattern or fnmatch(text, pattern)
        for text in (name, PurePosixPath(name).name, str(path), str(path.resolve()))
    ) or (Path(pattern).is_absolute() and Path(pattern) == path.resolve())


@dataclass(frozen=True)
class RecipeSplit:
    """The split that a recipe of datasets/ gives for each file name."""

    splits: dict[str, str]
    recipe: Path

    @classmethod
    def read(cls, path: Path) -> "RecipeSplit":
        """Reads the recipe: a JSON object whose `recordings` have `file` and `split`; raises InputError."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            splits = {entry["file"]: entry["split"] for entry in content["recordings"]}
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f'{path}: is no recipe: "recordings" with "file" and "split" were expected') from error
        for file, split in splits.items():
            if split not in SPLITS:
                raise InputError(f"{path}: {file} has split {split!r}; one of {', '.join(SPLITS)} was expected")
        return cls(splits, path)

    def assign(self, sources: dict[str, Path]) -> dict[str, str]:
        """Splits `{name: path}` by file name; raises OptionError for a recording that the recipe does not name."""
        splits = {}
        for name, path in sources.items():
            if path.name not in self.splits:
                raise OptionError(f"{path}: is not in the recipe {self.recipe}")
            splits[name] = self.splits[path.name]
        return splits

    def missing(self, sources: dict[str, Path]) -> list[str]:
        """File names of the recipe that are not among the sources."""
        present = {path.name for path in sources.values()}
        return [file for file in self.splits if file not in present]
