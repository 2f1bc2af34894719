"""The codec that a file's header asks for: its weights found, and what was loaded shared by all files that ask for the
same.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import GroupCodec
from lvc.codecs.family import device_of, family_of, open_codec
from lvc.container.layout import Group, Header
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry
from lvc.native.pixel_grid import PixelGrid
from lvc.output import identity
from lvc.weights import checkpoints

if TYPE_CHECKING:
    import torch

CODECS_KEPT, CHECKPOINTS_KEPT = 16, 4  # in a process, for files that are opened next


def codec_of(
    header: Header, *, model: str | os.PathLike | None = None, device: "str | torch.device" = "cpu"
) -> GroupCodec:
    """The codec that a file's header asks for; `model` is a weights file, where the file's own are not found.

    The weights are looked for each time. What was loaded of the same file, settings and device last is shared by all
    who ask in this process, so that a thousand files cost one model; a forked process takes it along, where it is on
    the processor.
    Raises ModelError for missing or other weights, FormatError for a header whose parts do not go together.
    """
    name, sha256 = header.model["name"], header.model["sha256"]
    if checkpoints.has_none(name, sha256):
        weights: tuple[Path | str, tuple[int, ...] | None, str] = name, None, sha256
    else:
        path = checkpoints.locate(name, sha256, file=model)
        weights = path, identity(path), sha256
    device = device_of(device)
    try:
        return _shared_codec(
            weights, header.geometry, codec_specs(header), device, None if device == "cpu" else os.getpid()
        )
    except OptionError as error:
        raise FormatError(f"the header asks for what cannot be: {error}") from error


def codec_specs(header: Header) -> str:
    """All of a header that decides what latents mean, but weights and geometry."""
    return json.dumps(
        [header.quantiser, header.entropy, header.extra.get("crf"), header.extra.get("grid")], sort_keys=True
    )


@lru_cache(maxsize=CODECS_KEPT)
def _shared_codec(weights: tuple, geometry: Geometry, specs: str, device: str, process: int | None) -> GroupCodec:
    quantiser, entropy, crf, grid = json.loads(specs)
    grid = None if grid is None else PixelGrid.from_json(grid)
    checkpoint = _shared_checkpoint(*weights, device, process)
    return open_codec(
        checkpoint, geometry=geometry, quantiser=quantiser, entropy=entropy, crf=crf, device=device, grid=grid
    )


@lru_cache(maxsize=CHECKPOINTS_KEPT)
def _shared_checkpoint(
    path: Path | str, state: tuple[int, ...] | None, sha256: str, device: str, _process: int | None
) -> Checkpoint:
    """state: of the weights file; None for the name of a model without one."""
    if state is None:
        return family_of(str(path)).without_weights(str(path))
    return checkpoints.load_file(Path(path), device=device, sha256=sha256)


def check_group(codec: GroupCodec, group: Group) -> None:
    """Decodes a whole group; raises FormatError where its digest is not that of what was coded."""
    decoder = codec.open_group(group.packets)
    decoder.advance(decoder.frame_count)
    check_digest(codec, group, decoder.digest)


def check_digest(codec: GroupCodec, group: Group, digest: int) -> None:
    """Raises FormatError where a whole group, whose digest this is, has decoded to something else than was coded."""
    if digest != group.digest:
        last = group.first_frame + group.frame_count - 1
        raise FormatError(
            f"frames {group.first_frame} to {last} decode to other {codec.traits.digest_of} than were coded: another "
            "model, or a fault of this machine's arithmetic"
        )
