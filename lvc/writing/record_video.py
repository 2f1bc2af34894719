"""`RecordVideo`: a Gymnasium environment's episodes as `.lvc` files, in the manner of gymnasium's wrapper of that
name.
"""

import glob
import os
from collections.abc import Callable
from pathlib import Path

try:
    import gymnasium
except ImportError as error:
    raise ImportError("lvc.gym needs the package gymnasium: pip install lvc[gym]") from error

import numpy as np

from lvc.codecs.family import traits_of
from lvc.errors import OptionError, OutputError
from lvc.frames import Geometry
from lvc.parallel.background import Background
from lvc.rates import rate_of
from lvc.weights import checkpoints
from lvc.writing.choice import AUTO
from lvc.writing.writer import Writer

DEFAULT_FPS = 30
SMALL = 1 << 16  # pixels: an emulator's picture, not a window's


def seldom(episode: int) -> bool:
    """Whether an episode is recorded by default: 0, 1, 8, 27, … to 1000, then every 1000th."""
    return round(episode ** (1 / 3)) ** 3 == episode if episode < 1000 else episode % 1000 == 0


class RecordVideo(gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs):
    """Records what `render` gives into `<video_folder>/<name_prefix>-episode-<n>.lvc`, or `-step-<n>.lvc`.

        env = RecordVideo(gymnasium.make("ALE/MsPacman-v5", render_mode="rgb_array"), "videos", episode_trigger=lambda
        n: n % 10 == 0)

    episode_trigger, step_trigger: called with the number of the episode (of the step, counted over all episodes), from
    0; where they say so a recording starts. Without either: as `seldom` says. video_length: frames of a recording,
    which may span episodes; 0 means to the episode's end. fps: frames a second, by default as the environment says,
    else 30. Pictures of up to 65,536 pixels keep their size, others become 200x160, unless `geometry` says otherwise.
    writer_options: of `lvc.Writer`: model, crf, every, geometry, keyint, overwrite, … A folder's recordings of the
    same names are written over, which a warning says, unless `overwrite=False` refuses that. A recording is coded
    while the environment runs and while the next one is made. All are under their names after `close`; one that breaks
    off stays in its `.part` file. Raises OptionError, OutputError and ModelError; from `reset`, `step` and `close`
    also what the coding met.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        video_folder: str | os.PathLike,
        episode_trigger: Callable[[int], bool] | None = None,
        step_trigger: Callable[[int], bool] | None = None,
        video_length: int = 0,
        name_prefix: str = "rl-video",
        fps: float | None = None,
        **writer_options,
    ):
        gymnasium.utils.RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,  # a model that is already in memory may be among them
            video_folder=video_folder,
            episode_trigger=episode_trigger,
            step_trigger=step_trigger,
            video_length=video_length,
            name_prefix=name_prefix,
            fps=fps,
            **writer_options,
        )
        super().__init__(env)
        if env.render_mode in (None, "human", "ansi"):
            raise OptionError(f"an environment made with render_mode='rgb_array' was expected, not {env.render_mode!r}")
        if episode_trigger is None and step_trigger is None:
            episode_trigger = seldom
        if isinstance(video_length, bool) or not isinstance(video_length, int) or video_length < 0:
            raise OptionError(
                f"video_length must be a whole number of frames, or 0 for whole episodes, not {video_length!r}"
            )
        self.episode_trigger, self.step_trigger = episode_trigger, step_trigger
        self.video_length, self.name_prefix = video_length, name_prefix
        self.fps = rate_of(self.metadata.get("render_fps", DEFAULT_FPS) if fps is None else fps)
        model = writer_options.pop("model", None)
        if model not in (None, AUTO) and not isinstance(
            model, checkpoints.Checkpoint
        ):  # loaded once for all recordings
            model = checkpoints.load(model, device=writer_options.get("device", "cpu"))
        self._options = {"model": model, **writer_options}
        self.video_folder = Path(video_folder)
        try:
            self.video_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{video_folder}: no folder can be made there: {error.strerror or error}") from error
        if "append" not in self._options and "overwrite" not in self._options:
            self._options["overwrite"] = True
            if any(self.video_folder.glob(f"{glob.escape(name_prefix)}-*.lvc")):
                gymnasium.logger.warn(
                    f"recordings in {self.video_folder} are written over; "
                    "choose another video_folder where they are to stay"
                )
        self.episode_id = self.step_id = -1
        self._writer: Writer | None = None
        self._starting: dict | None = None  # name and source of a recording that has no picture yet
        # pictures that were taken out of a list that the environment keeps, for who asks next
        self._rendered: list = []
        self._frames = 0  # of the recording
        self._closing = Background(1, name="lvc-closing")

    @property
    def recording(self) -> bool:
        return self._writer is not None or self._starting is not None

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Resets the environment; ends a recording of the episode before, and starts one where episode_trigger says
        so.
        """
        result = self.env.reset(seed=seed, options=options)
        self.episode_id += 1
        if self.recording and not self.video_length:
            self.stop_recording()
        if self.episode_trigger and self.episode_trigger(self.episode_id):
            self.start_recording(f"{self.name_prefix}-episode-{self.episode_id}")
        self._record()
        return result

    def step(self, action):
        """Steps the environment, and records what it shows then."""
        result = self.env.step(action)
        self.step_id += 1
        if self.step_trigger and self.step_trigger(self.step_id):
            self.start_recording(f"{self.name_prefix}-step-{self.step_id}")
        self._record()
        return result

    def start_recording(self, name: str) -> None:
        """Starts the recording `<video_folder>/<name>.lvc`; ends one that runs."""
        if self.recording:
            self.stop_recording()
        spec = self.env.spec
        source = {
            "name": name,
            "environment": None if spec is None else spec.id,
            "episode": self.episode_id,
            "step": self.step_id + 1,
        }
        source |= {"every": self._options.get("every") or 1}
        self._starting, self._frames = source, 0

    def _open(self, picture: np.ndarray) -> None:
        """Opens the file of a recording that starts with a picture."""
        source, self._starting = self._starting, None
        if "geometry" not in self._options:
            self._options["geometry"] = self._own_size(picture)
        self._writer = Writer(self.video_folder / f"{source['name']}.lvc", fps=self.fps, source=source, **self._options)

    def _own_size(self, picture: np.ndarray) -> Geometry | None:
        """That of the environment's pictures, where they are small and the model takes any; else what is the writer's
        default.
        """
        height, width = picture.shape[:2]
        model = self._options["model"]
        any_size = model is None or model == AUTO or traits_of(model).any_size
        return Geometry(width, height) if any_size and width * height <= SMALL else None

    def stop_recording(self) -> None:
        """Ends the recording; its last frames are coded while the environment goes on."""
        writer, self._writer, self._starting = self._writer, None, None
        if writer is not None:
            self._closing.submit(1, writer.close)

    def _record(self) -> None:
        """Takes the picture that the environment shows; as gymnasium, the last of several, and none where there is
        none yet.
        """
        if not self.recording:
            return
        picture = self.env.render()
        if isinstance(picture, list | tuple):
            self._rendered += picture
            if not picture:
                gymnasium.logger.warn(
                    "render() gives no picture, because it was called just now: a frame is missing in the recording"
                )
                return
            picture = picture[-1]
        if not isinstance(picture, np.ndarray):
            self.stop_recording()
            gymnasium.logger.warn(
                f"the recording ends: render() gives {type(picture).__name__}, and an array was expected"
            )
            return
        if self._writer is None:
            self._open(picture)
        self._writer.write(picture)
        self._frames += 1
        if self._frames == self.video_length:
            self.stop_recording()

    def render(self):
        """What the environment shows; where that is a list of what it showed since the last call, with what was
        recorded of it.
        """
        shown = super().render()
        if isinstance(shown, list):
            shown, self._rendered = self._rendered + shown, []
        return shown

    def close(self) -> None:
        """Closes the environment, and waits until all recordings are in their files."""
        try:
            self.stop_recording()
            self._closing.finish()
        finally:
            super().close()
