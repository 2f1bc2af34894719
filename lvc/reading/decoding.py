"""From a `.lvc` file to pictures: mp4, mkv, npy or a folder of png, at the stored timestamps."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lvc.errors import FormatError
from lvc.frames import FrameBatch
from lvc.reading.reader import Reader
from lvc.video.mux import open_output


def decode(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    model: str | os.PathLike | None = None,
    device: str = "cpu",
    keyframes_only: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
    on_damage: Callable[[str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> int:
    """Decodes all frames (or the keyframes alone) into `output`, whose suffix chooses the form; gives their number.

    on_damage: told of each part that does not hold, in one line; the frames of all other parts are decoded. Without it
    the first damage is raised. on_note: told of what was done that the file does not say, as times below 0 that were
    shifted. Raises FormatError, also where not one frame is left, ModelError, OptionError for an unknown suffix, or
    OutputError.
    """
    told = []

    def tell(damage: str) -> None:
        if on_damage is None:
            raise FormatError(damage)
        told.append(damage)
        on_damage(damage)

    with Reader(source, model=model, device=device) as reader:
        for damage in reader.container.damage:
            tell(f"{source}: {damage}")
        reader.codec  # noqa: B018  wrong weights are no damage of one group
        count = 0
        with open_output(
            Path(output),
            geometry=reader.geometry,
            time_base=reader.time_base,
            frame_duration=None if keyframes_only else reader.header.frame_duration,
            overwrite=overwrite,
            inputs=(Path(source),),
        ) as writer:
            for batch in sound_batches(reader, keyframes_only=keyframes_only, tell=tell):
                writer.write(batch)
                count += len(batch)
                if progress:
                    progress(len(batch))
            if not count:
                raise FormatError(told[0] if told else f"{source}: holds no frame")
    for note in writer.notes if on_note else ():
        on_note(f"{source}: {note}")
    return count


def sound_batches(reader: Reader, *, keyframes_only: bool, tell: Callable[[str], None]) -> Iterator[FrameBatch]:
    """Each group's frames, or its first; a group that does not hold is told, and left out whole."""
    for entry in reader.container.index:
        try:
            yield from reader.batches(entry.first_frame, entry.first_frame + 1 if keyframes_only else entry.frames.stop)
        except FormatError as error:
            tell(str(error))
