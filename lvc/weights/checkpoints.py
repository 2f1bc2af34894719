"""Weights on disk: one safetensors file a model, with everything that coding needs beside the tensors.

    model.<name>            the model's tensors, float32 (float16 and bfloat16 are widened when read) or whole numbers
    entropy.<set>.<array>   int32, the frequency tables of a learned prior, as `Tables.to_arrays` gives them
    training.<name>         what `lvc train --resume` needs; ignored otherwise
    metadata "lvc"          JSON: the fields of `Metadata`

A file is checked against the model it names before anything is allocated, and its tensors are mapped, not copied,
so that weights of gigabytes cost their size once and only where they are touched.
"""

import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from lvc.codecs.checkpoint import NAME, Checkpoint, Metadata
from lvc.codecs.codec import Traits
from lvc.codecs.family import build_empty, device_of, family_of, model_names
from lvc.container.header import NO_WEIGHTS
from lvc.entropy.tables import MAX_ENTRIES, Tables
from lvc.errors import LvcError, ModelError, OptionError
from lvc.output import identity, written_whole

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DEFAULT = "arcade"
SUFFIX = ".safetensors"
FOLDERS_VARIABLE = "LVC_MODELS"
MAX_HEADER_BYTES = 4 << 20  # a model of 10,000 tensors needs a quarter of it

# Bytes of a number, by the file's name for it
TYPES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


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
    weights = family_of(checkpoint.metadata.model).tensors()
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
                raise ModelError(
                    f"{path}: is no weights file, or cut short: a header of {length:,} bytes in a file of {size:,}"
                )
            if length > MAX_HEADER_BYTES:
                raise ModelError(
                    f"{path}: is no weights file of lvc: a header of {length:,} bytes, at most {MAX_HEADER_BYTES:,} "
                    "expected"
                )
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
        if (
            not isinstance(content, dict)
            or not isinstance(extra := content.pop("__metadata__", None), dict)
            or not isinstance(extra.get("lvc"), str)
        ):
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
        raise ModelError(
            f"its tensors have {position:,} bytes, and the file holds {data_bytes:,}: it is cut short or damaged"
        )
    return entries


def load(model: str | os.PathLike, *, device: "str | torch.device" = "cpu") -> Checkpoint:
    """The weights of a shipped model's name, or of a file; of a model without weights what stands for them.

    A name is looked for among the shipped models, then in the folders of $LVC_MODELS. Raises ModelError for what is
    missing, damaged, or does not fit the model it names; OptionError for a device that is not there.
    """
    if model in model_names(weights=False):
        return family_of(str(model)).without_weights(str(model))
    return load_file(path_of(model), device=device)


def load_file(path: Path, *, device: "str | torch.device" = "cpu", sha256: str | None = None) -> Checkpoint:
    """The weights of a file whose digest is known, or computed here."""
    device = device_of(device)
    header = read_header(path)
    metadata = header.metadata
    try:
        model = empty_model(metadata)
        weights = family_of(metadata.model).tensors()
        expected = weights.parts(model)
        check_tensors({f"model.{name}": part for name, part in expected.items()}, header, weights.takes)
        table_names = check_tables(header)
        sha256 = sha256 or file_digest(path)
        with safe_open(path, framework=weights.FRAMEWORK) as file:
            model = weights.filled(model, {name: file.get_tensor(f"model.{name}") for name in expected})
            tables = {
                name: Tables.from_arrays(
                    {part: np.asarray(file.get_tensor(f"entropy.{name}.{part}")) for part in parts}
                )
                for name, parts in table_names.items()
            }
    except LvcError as error:
        raise ModelError(f"{path}: {error}") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    return Checkpoint(metadata, weights.placed(model, device), tables, sha256)


def family_traits(model: str | os.PathLike) -> Traits:
    """The traits of the family of a name's weights, or a file's, of which the header alone is read;
    raises ModelError.
    """
    name = model if model in model_names(weights=False) else read_header(path_of(model)).metadata.model
    return family_of(str(name)).traits


def needs_torch(model: str | os.PathLike) -> bool:
    """Whether coding with the weights of a name, or of a file, loads torch; raises ModelError."""
    return family_traits(model).needs_torch


def load_state(path: str | os.PathLike) -> dict[str, "Tensor | np.ndarray"]:
    """The tensors for `--resume` of a file that `save` was given a state for, of the model's kind;
    {} where there are none.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework=family_of(header.metadata.model).tensors().FRAMEWORK) as file:
            return {
                name.removeprefix("training."): file.get_tensor(name)
                for name in header.tensors
                if name.startswith("training.")
            }
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def empty_model(metadata: Metadata) -> Any:
    """The model that the metadata names, without memory for its tensors."""
    try:
        return build_empty(metadata.model, geometry=metadata.geometry, **metadata.config)
    except OptionError:  # says what is wrong already
        raise
    except (TypeError, ValueError, ArithmeticError, RuntimeError, IndexError) as error:
        raise ModelError(
            f"there is no {metadata.model} with the options {json.dumps(metadata.config)[:200]}"
        ) from error


def check_tensors(
    expected: Mapping[str, tuple[str, tuple[int, ...]]], header: Header, takes: Callable[[str, str], bool]
) -> None:
    """Raises ModelError where the file's tensors are not those of the model, each with the model's shape and type."""
    missing = [name for name in expected if name not in header.tensors]
    if missing:
        raise ModelError(f"it lacks {listed(missing)}, which {header.metadata.model} has")
    unknown = [
        name for name in header.tensors if name not in expected and not name.startswith(("entropy.", "training."))
    ]
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
            raise ModelError(
                f"{name} is no array of frequency tables: int32 in one row of up to {MAX_ENTRIES:,} expected"
            )
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
def known_digest(path: str | os.PathLike, _state: tuple[int, ...] | None) -> str:
    """SHA-256 of a file in a state that `identity` gave, computed once."""
    return file_digest(path)


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
    raise ModelError(
        f"{model}: there is no weights file and no model of that name (shipped: {choices}; ${FOLDERS_VARIABLE} may "
        "list folders of more)"
    )


def find(
    name: str,
    sha256: str,
    *,
    file: str | os.PathLike | None = None,
    extra_folders: Sequence[str | os.PathLike] = (),
    device: "str | torch.device" = "cpu",
) -> Checkpoint:
    """The very weights that a file was coded with: those of `locate`, or what stands for them. Raises ModelError."""
    if has_none(name, sha256):
        return family_of(name).without_weights(name)
    return load_file(locate(name, sha256, file=file, extra_folders=extra_folders), device=device, sha256=sha256)


def has_none(name: str, sha256: str) -> bool:
    """Whether a file says that its model has no weights, and there is such a one."""
    return sha256 == NO_WEIGHTS and name in model_names(weights=False)


def locate(
    name: str, sha256: str, *, file: str | os.PathLike | None = None, extra_folders: Sequence[str | os.PathLike] = ()
) -> Path:
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
