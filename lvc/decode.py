"""From a `.lvc` file to pictures: mp4, mkv, npy or a folder of png, at the stored timestamps."""

import os
from collections.abc import Callable
from pathlib import Path

from lvc.reader import Reader
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
) -> int:
    """Decodes all frames (or the keyframes alone) into `output`, whose suffix chooses the form; gives their number.

    Raises FormatError, ModelError, OptionError for an unknown suffix, or OutputError.
    """
    with Reader(source, model=model, device=device) as reader:
        count = 0
        with open_output(
            Path(output), geometry=reader.geometry, time_base=reader.time_base, overwrite=overwrite, inputs=(Path(source),)
        ) as writer:
            batches = (reader.frames_at([group.first_frame]) for group in reader.container.index) if keyframes_only else reader.batches()
            for batch in batches:
                writer.write(batch)
                count += len(batch)
                if progress:
                    progress(len(batch))
    return count
