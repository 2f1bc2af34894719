"""`Writer`: frames in, one `.lvc` file out, a group at a time."""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from lvc import checkpoints
from lvc.codec import Codec, Latents
from lvc.container.layout import Group, Header
from lvc.container.writer import ContainerWriter
from lvc.errors import OptionError
from lvc.frames import FrameBatch, Geometry
from lvc.output import written_whole

VERSION = "0.1.0"
DEFAULT_KEYINT = 64
SAMPLE_FRAMES = 4  # decoded again from the first group, to tell whether the model suits the recording
MAX_KEYINT = 4096  # bounds what one group costs in memory: 4096 frames of 200x160 latents are 130 MB


class Writer:
    """Codes frames as they come; holds one group in memory, and flushes each group when it is full.

    The file grows as `<path>.part` and takes its name on `close()`. After an error, or a crash, the part file
    stays, and `lvc verify --repair` makes a whole file of its complete groups; so it is not written over unless `overwrite`.

        with lvc.Writer("run.lvc", geometry=Geometry(200, 160), time_base=Fraction(1, 30), model="conv4") as writer:
            writer.write(batch)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        geometry: Geometry,
        time_base: Fraction,
        frame_duration: int = 1,
        model: str | os.PathLike | checkpoints.Checkpoint,
        quantiser: dict | None = None,
        entropy: dict | None = None,
        crf: int | None = None,
        keyint: int = DEFAULT_KEYINT,
        device: str = "cpu",
        source: dict | None = None,
        overwrite: bool = False,
        inputs: tuple[Path, ...] = (),
    ):
        if not (isinstance(keyint, int) and 1 <= keyint <= MAX_KEYINT):
            raise OptionError(f"keyint must be a whole number of frames from 1 to {MAX_KEYINT}, not {keyint!r}")
        checkpoint = model if isinstance(model, checkpoints.Checkpoint) else checkpoints.load(model, device=device)
        self.codec = Codec(checkpoint, geometry=geometry, quantiser=quantiser, entropy=entropy, crf=crf, device=device)
        self.geometry, self.time_base, self.keyint = geometry, time_base, keyint
        self.header = Header(
            width=geometry.width,
            height=geometry.height,
            time_base=time_base,
            frame_duration=frame_duration,
            keyint=keyint,
            model={"name": checkpoint.name, "sha256": checkpoint.sha256},
            quantiser=self.codec.quantiser_spec,
            entropy=self.codec.entropy_spec,
            source=source or {},
            encoder=f"lvc {VERSION}",
            extra={} if self.codec.crf is None else {"crf": self.codec.crf},
        )
        self._waiting: list[np.ndarray] = []
        self._waiting_pts: list[int] = []
        self.frames_written = 0
        # Mean dB of a few frames of the first group, when it is written; None before, and where one came back identical.
        self.sample_psnr: float | None = None
        self._file = None
        # Before the first group is complete there is nothing to recover; a part that we did not open is somebody else's.
        self._output = written_whole(
            Path(path), overwrite=overwrite, inputs=inputs, recoverable=lambda: self._file is None or self.frames_written > 0
        )
        part = self._output.__enter__()
        try:
            self._file = open(part, "wb" if overwrite else "xb")  # noqa: SIM115, closed by close()
            self._container = ContainerWriter(self._file, self.header)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def write(self, batch: FrameBatch) -> None:
        """Adds frames of the writer's geometry and time base; timestamps must go up."""
        if batch.geometry != self.geometry:
            raise OptionError(f"frames are {batch.geometry}, and this file holds {self.geometry}")
        if batch.time_base != self.time_base:
            raise OptionError(f"timestamps are in {batch.time_base} s, and this file's in {self.time_base} s")
        for number, pts in enumerate(batch.pts):
            self._waiting.append(batch.data[number])
            self._waiting_pts.append(pts)
            if len(self._waiting) == self.keyint:
                self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        frames = np.stack(self._waiting)
        latents = self.codec.analyse(frames)
        packets, digest = self.codec.encode(latents)
        if self.frames_written == 0:
            self.sample_psnr = self._sample_psnr(frames, latents)
        self._container.write_group(Group(first_frame=self.frames_written, pts=tuple(self._waiting_pts), packets=packets, digest=digest))
        self.frames_written += len(self._waiting)
        self._waiting, self._waiting_pts = [], []

    def _sample_psnr(self, frames: np.ndarray, latents: Latents) -> float | None:
        chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLE_FRAMES).astype(int))
        decoded = self.codec.synthesise(Latents(latents.symbols[chosen], latents.parameters[chosen]))
        error = np.square(decoded.astype(np.int32) - frames[chosen]).mean(axis=(1, 2, 3))
        return float((10 * np.log10(255**2 / error)).mean()) if error.all() else None

    def close(self) -> None:
        """Codes what is waiting, writes the index and gives the file its name."""
        if self._output is None:
            return
        try:
            self._flush()
            self._container.finish()
            self._file.close()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        output, self._output = self._output, None
        output.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        elif self._output is not None:
            output, self._output = self._output, None
            with contextlib.suppress(OSError):  # of a full disk, which `error` tells already
                if self._file is not None:
                    self._file.close()
            output.__exit__(kind, error, trace)
