"""Datasets of LeRobot, as far as `lvc` looks into them: videos by a template, meta/info.json, and other files."""

import json
from pathlib import Path

import av
import numpy as np

RATE = 10
CAMERAS = "observation.images.front", "observation.images.wrist"
EPISODES = 5, 3, 4  # frames of each
TEMPLATES = {
    "v2.1": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "v3.0": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


def pictures(camera: str, count: int) -> np.ndarray:
    """Frames uint8 [count, 32, 48, 3] of a camera."""
    small = np.random.default_rng(len(camera)).integers(0, 256, (count, 8, 12, 3), np.uint8)
    return small.repeat(4, 1).repeat(4, 2)


def write_video(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", RATE, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "rgb24"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))


def make_lerobot(root: Path, version: str) -> Path:
    """A dataset of three episodes and two cameras: a video an episode (v2.1), or all in one (v3.0)."""
    template, total = TEMPLATES[version], sum(EPISODES)
    for camera in CAMERAS:
        frames = pictures(camera, total)
        parts = np.split(frames, np.cumsum(EPISODES)[:-1]) if version == "v2.1" else [frames]
        for number, part in enumerate(parts):
            numbers = {"episode_chunk": 0, "episode_index": number, "chunk_index": 0, "file_index": number}
            write_video(root / template.format(video_key=camera, **numbers), part)
    facts = {"video.codec": "h264", "video.pix_fmt": "gbrp", "video.fps": RATE, "has_audio": False}
    features = {camera: {"dtype": "video", "shape": [32, 48, 3], "info": facts} for camera in CAMERAS}
    features["action"] = {"dtype": "float32", "shape": [2], "names": None}
    info = {"codebase_version": version, "total_frames": total, "fps": RATE, "video_path": template}
    (root / "meta").mkdir()
    (root / "meta/info.json").write_text(json.dumps({**info, "features": features}))
    (root / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "run"}\n')
    (root / "data/chunk-000").mkdir(parents=True)
    (root / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1 rows of actions PAR1")
    return root
