"""Trains a small world model on frames of a game that it plays itself, from `.lvc` and from PNG, and prints where the
time goes.

    python examples/world_model.py                    # needs lvc[gym,record]: minutes on two cores
    python examples/world_model.py --steps 100 --folder run

The model sees two frames and what the player does, and predicts the next frame. Each step's time is that of waiting for
the batch, and that of training with it; both readers give the same batches in the same order.
"""

import argparse
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import lvc

FPS = 15  # Atari's 60, of which the emulator gives every fourth
PAST, NEXT = (-1 / FPS, 0.0), 1 / FPS
SIZE = 80, 100  # at which the model sees the frames


def play(folder: Path, *, frames: int, seed: int) -> None:
    """Records Ms. Pac-Man, played at random: game.lvc, the same frames as PNG,
    and game.npz with actions and episodes' ends.
    """
    import ale_py

    gymnasium.register_envs(ale_py)
    environment = gymnasium.make("ALE/MsPacman-v5", render_mode="rgb_array", frameskip=4)
    environment.action_space.seed(seed)
    environment.reset(seed=seed)
    (folder / "png").mkdir(parents=True)
    actions, ends, action = [], [], 0
    with lvc.Writer(folder / "game.lvc", fps=FPS, keyint=8) as writer:
        for number in range(frames):
            if number % 8 == 0:  # a random walk gets nowhere: keep a direction for a while
                action = int(environment.action_space.sample())
            picture = environment.render()
            writer.write(picture)
            Image.fromarray(picture).resize((200, 160), Image.Resampling.BOX).save(folder / "png" / f"{number:06d}.png")
            _, _, terminated, truncated, _ = environment.step(action)
            actions.append(action)
            ends.append(terminated or truncated)
            if ends[-1]:
                environment.reset()
    environment.close()
    np.savez(folder / "game.npz", action=np.array(actions), done=np.array(ends))


class Pictures(Dataset):
    """The same windows as `lvc.FrameDataset` gives, from a folder of PNG: what one would write oneself."""

    def __init__(self, folder: Path, windows: lvc.FrameDataset):
        self.files = sorted((folder / "png").iterdir())
        self.actions, starts = windows.columns.read(windows.files[0])["action"], windows.episode_starts
        stops = np.append(starts[1:], len(windows)) - 1
        episodes = np.searchsorted(starts, np.arange(len(windows)), side="right") - 1
        self.first, self.last = starts[episodes], stops[episodes]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict:
        numbers = [int(np.clip(index + offset, self.first[index], self.last[index])) for offset in (-1, 0, 1)]
        frames = np.stack([np.asarray(Image.open(self.files[number])) for number in numbers])
        return {
            "frames": torch.from_numpy(frames).permute(0, 3, 1, 2),
            "action": torch.from_numpy(self.actions[numbers]),
            "index": index,
        }


class WorldModel(nn.Module):
    """The next frame from the last two and an action, by what changes: about 130,000 parameters."""

    def __init__(self, actions: int, width: int = 32):
        super().__init__()
        self.action = nn.Embedding(actions, 4 * width)
        self.down = nn.ModuleList(
            [
                nn.Conv2d(6, width, 5, 2, 2),
                nn.Conv2d(width, 2 * width, 3, 2, 1),
                nn.Conv2d(2 * width, 4 * width, 3, 1, 1),
            ]
        )
        self.up = nn.ModuleList(
            [
                nn.Conv2d(4 * width, 4 * width, 1),
                nn.Conv2d(width, 2 * width, 3, 1, 1),
                nn.Conv2d(width // 2, 3, 3, 1, 1),
            ]
        )

        # Untrained it repeats the last frame: what is learnt is what changes.
        nn.init.zeros_(self.up[-1].weight)
        nn.init.zeros_(self.up[-1].bias)

    def forward(self, past: Tensor, action: Tensor) -> Tensor:
        """past: [B, 2, 3, H, W] in 0..1, sides that 4 divides; action: whole numbers [B]. Gives [B, 3, H, W]."""
        x = past.flatten(1, 2) - 0.5
        for layer in self.down:
            x = F.silu(F.group_norm(layer(x), 4))
        x = x + self.action(action)[:, :, None, None]
        for layer in self.up[:-1]:
            x = F.pixel_shuffle(F.silu(F.group_norm(layer(x), 4)), 2)
        return past[:, -1] + self.up[-1](x)


def now() -> np.ndarray:
    """Seconds of the clock, and of the processor in all threads of this process."""
    return np.array([time.perf_counter(), time.process_time()])


def train(loader: DataLoader, *, steps: int, actions: int, seed: int) -> dict:
    """Times in seconds, and the mean square error of the first and the last tenth of the steps,
    beside that of repeating the frame.
    """
    torch.manual_seed(seed)
    model = WorldModel(actions)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    waited, trained = np.zeros(2), np.zeros(2)
    errors, repeated, step = [], [], 0
    begun = now()
    while step < steps:
        for batch in loader:
            ready = now()
            waited += ready - begun
            frames = batch["frames"].flatten(0, 1).float() / 255
            frames = F.adaptive_avg_pool2d(frames, SIZE).unflatten(0, (-1, 3))
            error = F.mse_loss(model(frames[:, :2], batch["action"][:, 1]), frames[:, 2])
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            errors.append(error.item())
            repeated.append(F.mse_loss(frames[:, 1], frames[:, 2]).item())
            begun = now()
            trained += begun - ready
            step += 1
            if step == steps:
                break
    tenth = max(1, steps // 10)
    return {
        "data": waited,
        "train": trained,
        "first": np.mean(errors[:tenth]),
        "last": np.mean(errors[-tenth:]),
        "repeat": np.mean(repeated[-tenth:]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("world-model"), help="where the recording lies, or is made")
    parser.add_argument("--frames", type=int, default=1500, help="that are played (default %(default)s)")
    parser.add_argument("--steps", type=int, default=300, help="of training (default %(default)s)")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=0, help="of each DataLoader; 0 shows the whole cost of reading")
    parser.add_argument("--threads", type=int, help="that train (default: as many as torch takes)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if not (options.folder / "game.npz").exists():
        print(f"playing {options.frames} frames")
        play(options.folder, frames=options.frames, seed=options.seed)
    coded = lvc.FrameDataset(
        options.folder / "game.lvc",
        columns=".npz",
        episodes="done",
        delta_timestamps=[*PAST, NEXT],
        frame_cache_bytes=256 << 20,
    )
    sizes = {
        ".lvc": (options.folder / "game.lvc").stat().st_size,
        ".png": sum(path.stat().st_size for path in (options.folder / "png").iterdir()),
    }
    for name, dataset in ((".lvc", coded), (".png", Pictures(options.folder, coded))):
        # Windows that are whole: neither the first nor the last frame of an episode.
        sampler = lvc.EpisodeSampler(coded, drop_first=1, drop_last=1, shuffle=True, seed=options.seed)
        loader = DataLoader(
            dataset, batch_size=options.batch, sampler=sampler, num_workers=options.workers, drop_last=True
        )
        found = train(loader, steps=options.steps, actions=9, seed=options.seed)
        data, training = ("{:.1f} s ({:.1f} of the processor)".format(*found[part]) for part in ("data", "train"))
        print(
            f"{name}: {sizes[name]:,} bytes, {len(coded)} frames; {options.steps} steps of {options.batch}: "
            f"data {data}, train {training}; error {found['first']:.6f} at first, {found['last']:.6f} at last, "
            f"{found['repeat']:.6f} by repeating the frame"
        )


if __name__ == "__main__":
    main()
