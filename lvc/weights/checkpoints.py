"""Weights on disk: one safetensors file a model, with everything that coding needs beside the tensors.

    model.<name>            the model's tensors, float32 (float16 and bfloat16 are widened when read) or whole numbers
    entropy.<set>.<array>   int32, the frequency tables of a learned prior, as `Tables.to_arrays` gives them
    training.<name>         what `lvc train --resume` needs; ignored otherwise
    metadata "lvc"          JSON: the fields of `Metadata`

A file is checked against the model it names before anything is allocated, and its tensors are mapped, not copied,
so that weights of gigabytes cost their size once and only where they are touched.
"""

import dataclasses
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from lvc.codecs.family import build_empty, family_of
from lvc.entropy.tables import MAX_ENTRIES, Tables
from lvc.errors import LvcError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.output import identity, written_whole

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from lvc.codecs.networks.model import Model
    from lvc.codecs.palette.model import Palette

DEFAULT = "arcade"
FORMAT = "lvc weights"
VERSION = 1
SUFFIX = ".safetensors"
FOLDERS_VARIABLE = "LVC_MODELS"
MAX_HEADER_BYTES = 4 << 20  # a model of 10,000 tensors needs a quarter of it
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

TYPES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes of a number, by the file's name for it


@dataclass(frozen=True)
class Metadata:
    """What a weights file says of itself.

    name: what `.lvc` files coded with these weights call them. model, config: the family and its options.
    geometry: of the frames trained on. quantiser, entropy: specs that were trained for, and are the default.
    training: data set, epochs, figures. latents: statistics of latents on validation frames, for out-of-domain warnings.
    """

    name: str
    model: str
    config: dict
    geometry: Geometry
    quantiser: dict
    entropy: dict
    description: str = ""
    training: dict = field(default_factory=dict)
    latents: dict = field(default_factory=dict)

    def __post_init__(self):
        if not NAME.fullmatch(self.name):
            raise ModelError(f"a model's name has up to 64 letters, digits, dots, dashes and underscores, not {self.name!r}")

    def to_json(self) -> str:
        content = {part.name: getattr(self, part.name) for part in dataclasses.fields(self)}
        content["geometry"] = [self.geometry.width, self.geometry.height]
        return json.dumps({"format": FORMAT, "version": VERSION, **content}, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Metadata":
        """Raises ModelError where the text is anything else than `to_json` gives."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"its metadata is no JSON: {error}") from error
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ModelError(f'its metadata is not that of lvc: "format": "{FORMAT}" was expected')
        if (version := content.pop("version", None)) != VERSION:
            raise ModelError(f"it has version {version!r}; this lvc reads version {VERSION}")
        names = {part.name for part in dataclasses.fields(cls)}
        if set(content) != names:
            raise ModelError(f"its metadata should have {', '.join(sorted(names))}, not {', '.join(sorted(content))}")
        kinds = {"name": str, "model": str, "description": str, "geometry": list}
        for name, value in content.items():
            if not isinstance(value, kinds.get(name, dict)):
                raise ModelError(f"its metadata has {name} of type {type(value).__name__}")
        for name in ("quantiser", "entropy"):
            if not isinstance(content[name].get("name"), str):
                raise ModelError(f"its metadata names no {name}")
        if len(content["geometry"]) != 2:
            raise ModelError("its metadata has a geometry that is not [width, height]")
        width, height = content.pop("geometry")
        try:
            return cls(geometry=Geometry(width=width, height=height), **content)
        except OptionError as error:
            raise ModelError(f"its metadata has a wrong geometry: {error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that coding with it needs.

    tables: frequency tables by the set's name. sha256: of the file's bytes, in hex; None before it is saved.
    """

    metadata: Metadata
    model: "Model | Palette"
    tables: Mapping[str, Tables] = field(default_factory=dict)
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def geometry(self) -> Geometry:
        return self.metadata.geometry

    @property
    def quantiser(self) -> dict:
        return self.metadata.quantiser

    @property
    def entropy(self) -> dict:
        return self.metadata.entropy

    def __repr__(self) -> str:
        return f"Checkpoint({self.name}, {self.metadata.model} at {self.geometry}, sha256 {(self.sha256 or 'unsaved')[:12]})"


@dataclass(frozen=True)
class TensorEntry:
    """One tensor as a file's header lists it: one of TYPES, shape, bytes from begin to end behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """The checked header of a weights file: nothing of the tensors is read yet."""

    metadata: Metadata
    tensors: Mapping[str, TensorEntry]
    file_bytes: int

    @property
    def parameters(self) -> int:
        """Numbers in the model's tensors."""
        return sum(math.prod(entry.shape) for name, entry in self.tensors.items() if name.startswith("model."))


# Writing


def save(
    path: str | os.PathLike,
    checkpoint: Checkpoint,
    *,
    overwrite: bool = False,
    half: bool = False,
    state: Mapping[str, "Tensor | np.ndarray"] | None = None,
) -> None:
    """Writes a weights file, whole or not at all.

    half: floats are kept as float16, half the size at about 0.05 % of a weight. state: tensors for `--resume`.
    Raises OutputError; ModelError where a tensor is not finite.
    """
    weights = family_of(checkpoint.metadata.model).weights()
    try:
        parts = {f"model.{name}": part for name, part in weights.storable(checkpoint.model, half=half).items()}
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    for set_name, tables in checkpoint.tables.items():
        for array_name, array in tables.to_arrays().items():
            parts[f"entropy.{set_name}.{array_name}"] = np.ascontiguousarray(array)
    parts |= {f"training.{name}": part for name, part in (state or {}).items()}
    with written_whole(Path(path), overwrite=overwrite) as part:
        part.touch()
        mode = stat.S_IMODE(part.stat().st_mode)
        part.touch()
        permissions = part.stat().st_mode  # of any new file; the library would let only its user read it
        try:
            weights.save(parts, part, {"lvc": checkpoint.metadata.to_json()})
            part.chmod(permissions)
        except SafetensorError as error:  # how the library reports a full disk or a folder without permission
            raise OSError(str(error)) from error
        os.chmod(part, mode)  # the library makes files that nobody else can read


# Reading


def read_header(path: str | os.PathLike) -> Header:
    """Reads and checks a file's header alone; raises ModelError."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise ModelError(f"{path}: is no weights file, or cut short: a header of {length:,} bytes in a file of {size:,}")
            if length > MAX_HEADER_BYTES:
                raise ModelError(f"{path}: is no weights file of lvc: a header of {length:,} bytes, at most {MAX_HEADER_BYTES:,} expected")
            text = file.read(length)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such weights file") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        content = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is no weights file: its header is no JSON") from error
    try:
        if not isinstance(content, dict) or not isinstance(extra := content.pop("__metadata__", None), dict) or not isinstance(extra.get("lvc"), str):
            raise ModelError('it is no weights file of lvc: metadata "lvc" is missing')
        metadata = Metadata.from_json(extra["lvc"])
        tensors = checked_entries(content, size - 8 - length)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error.__cause__
    return Header(metadata, tensors, size)


def checked_entries(content: dict, data_bytes: int) -> dict[str, TensorEntry]:
    """The header's tensors; together they must fill the file exactly."""
    entries = {}
    for name, value in content.items():
        try:
            dtype, shape = value["dtype"], tuple(value["shape"])
            size = TYPES[dtype]
            begin, end = value["data_offsets"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"tensor {name!r} has no dtype, shape and offsets that lvc knows") from error
        if len(shape) > 8 or not all(type(number) is int and 0 <= number < 2**63 for number in (*shape, begin, end)):
            raise ModelError(f"tensor {name!r} has a shape or offsets that are no sizes")
        if end - begin != math.prod(shape) * size:
            raise ModelError(f"tensor {name!r} of shape {list(shape)} has {end - begin:,} bytes of data")
        entries[name] = TensorEntry(dtype, shape, begin, end)
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise ModelError(f"tensor {name!r} starts at byte {entry.begin:,} of the data, {position:,} expected")
        position = entry.end
    if position != data_bytes:
        raise ModelError(f"its tensors have {position:,} bytes, and the file holds {data_bytes:,}: it is cut short or damaged")
    return entries


def load(model: str | os.PathLike, *, device: "str | torch.device" = "cpu") -> Checkpoint:
    """The weights of a shipped model's name, or of a file.

    A name is looked for among the shipped models, then in the folders of $LVC_MODELS. Raises ModelError for what is
    missing, damaged, or does not fit the model it names; OptionError for a device that is not there.
    """
    return load_file(path_of(model), device=device)


def load_file(path: Path, *, device: "str | torch.device" = "cpu", sha256: str | None = None) -> Checkpoint:
    """The weights of a file whose digest is known, or computed here."""
    device = device_of(device)
    header = read_header(path)
    metadata = header.metadata
    try:
        model = empty_model(metadata)
        weights = family_of(metadata.model).weights()
        expected = weights.parts(model)
        check_tensors({f"model.{name}": part for name, part in expected.items()}, header, weights.takes)
        table_names = check_tables(header)
        sha256 = sha256 or file_digest(path)
        with safe_open(path, framework=weights.FRAMEWORK) as file:
            model = weights.filled(model, {name: file.get_tensor(f"model.{name}") for name in expected})
            tables = {name: Tables.from_arrays({part: np.asarray(file.get_tensor(f"entropy.{name}.{part}")) for part in parts}) for name, parts in table_names.items()}
    except LvcError as error:
        raise ModelError(f"{path}: {error}") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    return Checkpoint(metadata, model if device == "cpu" else model.to(device), tables, sha256)


def is_of_arrays(model: str | os.PathLike) -> bool:
    """Whether the weights of a name, or of a file, are numpy arrays, for which no torch is needed; raises ModelError."""
    return family_of(read_header(path_of(model)).metadata.model).arrays


def load_state(path: str | os.PathLike) -> dict[str, "Tensor | np.ndarray"]:
    """The tensors for `--resume` of a file that `save` was given a state for, of the model's kind; {} where there are none."""
    header = read_header(path)
    try:
        with safe_open(path, framework=family_of(header.metadata.model).weights().FRAMEWORK) as file:
            return {name.removeprefix("training."): file.get_tensor(name) for name in header.tensors if name.startswith("training.")}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def empty_model(metadata: Metadata) -> "Model | Palette":
    """The model that the metadata names, without memory for its tensors."""
    try:
        return build_empty(metadata.model, geometry=metadata.geometry, **metadata.config)
    except (TypeError, ValueError, ArithmeticError, RuntimeError, IndexError) as error:
        raise ModelError(f"there is no {metadata.model} with the options {json.dumps(metadata.config)[:200]}") from error


def check_tensors(expected: Mapping[str, tuple[str, tuple[int, ...]]], header: Header, takes: Callable[[str, str], bool]) -> None:
    """Raises ModelError where the file's tensors are not those of the model, each with the model's shape and type."""
    missing = [name for name in expected if name not in header.tensors]
    if missing:
        raise ModelError(f"it lacks {listed(missing)}, which {header.metadata.model} has")
    unknown = [name for name in header.tensors if name not in expected and not name.startswith(("entropy.", "training."))]
    if unknown:
        raise ModelError(f"it has {listed(unknown)}, which {header.metadata.model} has not")
    for name, (dtype, shape) in expected.items():
        entry = header.tensors[name]
        if entry.shape != shape:
            raise ModelError(f"{name} has the shape {list(entry.shape)}, {list(shape)} expected")
        if not takes(entry.dtype, dtype):
            raise ModelError(f"{name} is {entry.dtype}, {dtype} expected")


def check_tables(header: Header) -> dict[str, list[str]]:
    """The arrays of each set of frequency tables in the file."""
    sets: dict[str, list[str]] = {}
    for name, entry in header.tensors.items():
        if not name.startswith("entropy."):
            continue
        parts = name.split(".")
        if len(parts) != 3 or entry.dtype != "I32" or len(entry.shape) != 1 or entry.shape[0] > MAX_ENTRIES:
            raise ModelError(f"{name} is no array of frequency tables: int32 in one row of up to {MAX_ENTRIES:,} expected")
        sets.setdefault(parts[1], []).append(parts[2])
    return sets


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hex."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error


@lru_cache(maxsize=256)
def known_digest(path: str | os.PathLike, state: tuple[int, ...] | None) -> str:
    """SHA-256 of a file in a state that `identity` gave, computed once."""
    return file_digest(path)


def device_of(device: "str | torch.device") -> str:
    """The name of a device; OptionError where there is none, here or at all."""
    if str(device) == "cpu":  # which asks for no torch
        return "cpu"
    from lvc.codecs.in_torch import device_of

    return str(device_of(device))


# Finding


def shipped() -> list[str]:
    """Names of the models that come with lvc."""
    return sorted(path.stem for path in weights_folder().glob(f"*{SUFFIX}"))


def weights_folder() -> Path:
    return Path(__file__).parent


def folders(extra: Sequence[str | os.PathLike] = ()) -> list[Path]:
    """The shipped folder, those of $LVC_MODELS and the extra ones: those that exist."""
    from_environment = [name for name in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if name]
    return [folder for folder in (weights_folder(), *map(Path, from_environment), *map(Path, extra)) if folder.is_dir()]


def path_of(model: str | os.PathLike) -> Path:
    """The file that a name or a path means; raises ModelError."""
    if isinstance(model, str) and NAME.fullmatch(model):
        for folder in folders():
            if (path := folder / (model + SUFFIX)).is_file():
                return path
    path = Path(model)
    if path.is_file():
        return path
    choices = ", ".join(shipped()) or "none"
    raise ModelError(f"{model}: there is no weights file and no model of that name (shipped: {choices}; ${FOLDERS_VARIABLE} may list folders of more)")


def find(
    name: str,
    sha256: str,
    *,
    file: str | os.PathLike | None = None,
    extra_folders: Sequence[str | os.PathLike] = (),
    device: "str | torch.device" = "cpu",
) -> Checkpoint:
    """The very weights that a file was coded with: those of `locate`. Raises ModelError."""
    return load_file(locate(name, sha256, file=file, extra_folders=extra_folders), device=device, sha256=sha256)


def locate(name: str, sha256: str, *, file: str | os.PathLike | None = None, extra_folders: Sequence[str | os.PathLike] = ()) -> Path:
    """The file of the very weights with this digest: among the shipped ones, `file`, or in the folders of $LVC_MODELS.

    Raises ModelError that names the model, both hashes and what to do.
    """
    others = []
    for path in [path_of(file)] if file is not None else candidates(name, extra_folders):
        digest = known_digest(path, identity(path))
        if digest == sha256:
            return path
        others.append(f"{path} is {digest[:16]}")
    what = f"the weights {name!r} with sha256 {sha256[:16]} are needed"
    if file is not None:
        raise ModelError(f"{what}, and {others[0]}: give the right file with --model FILE")
    found = "; ".join(others[:3]) or f"none of that name is shipped or in ${FOLDERS_VARIABLE}"
    raise ModelError(f"{what} ({found}): give them with --model FILE")


def candidates(name: str, extra_folders: Sequence[str | os.PathLike]) -> Iterator[Path]:
    """Files that may hold the model of that name: first those called so, then those that say so inside."""
    tried = set()
    places = folders(extra_folders)
    if NAME.fullmatch(name):
        for folder in places:
            if (path := folder / (name + SUFFIX)).is_file():
                tried.add(path)
                yield path
    for folder in places:
        for path in sorted(set(folder.glob(f"*{SUFFIX}")) - tried):
            try:
                if read_header(path).metadata.name == name:
                    yield path
            except ModelError:
                continue  # a file of somebody else's, or damaged: not the one that is looked for
