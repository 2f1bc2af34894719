"""Environments of Gymnasium's interface: gymnasium's own and miniworld's."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from recorders.modules import absent
from recorders.player import HeldActions, WanderingForces
from recorders.screen import RATE
from recorders.take import Take

ENLARGE = cv2.INTER_LINEAR
BOX2D = {"gymnasium": "pip 'gymnasium[box2d]'", "Box2D": "pip 'gymnasium[box2d]'", "pygame": "pip pygame"}
MUJOCO = {"gymnasium": "pip gymnasium", "mujoco": "pip mujoco"}
MINIWORLD = {"gymnasium": "pip gymnasium", "miniworld": "pip miniworld"}


class Driver:
    """Steers a car of CarRacing along its road, now and then too fast, so that it leaves it and comes back."""

    def __init__(self, environment, seed: int):
        self.car_racing = environment.unwrapped
        self.speeds = HeldActions((30, 45, 60, 80), seed, shortest=60, longest=200)

    def next(self) -> np.ndarray:
        """Steering, gas and brake of the next step."""
        hull, track = self.car_racing.car.hull, np.array(self.car_racing.track)[:, 2:4]
        nearest = int(np.argmin(((track - np.array(hull.position)) ** 2).sum(1)))
        ahead = track[(nearest + 6) % len(track)] - np.array(hull.position)
        off = (np.arctan2(-ahead[0], ahead[1]) - hull.angle + np.pi) % (2 * np.pi) - np.pi
        gas = 0.4 * (np.hypot(*hull.linearVelocity) < self.speeds.next())
        return np.array([np.clip(-2 * off, -1, 1), gas, 0.2 * (abs(off) > 0.8)], np.float32)


def held(*actions) -> Callable:
    """A player of whole-numbered actions, each drawn as often as it stands there."""
    return lambda _environment, seed: HeldActions(actions, seed)


def wandering(environment, seed: int) -> WanderingForces:
    """A player of forces within -1 and 1, scaled to what the environment takes."""
    space = environment.action_space
    forces = WanderingForces(space.shape[0], seed)

    class Scaled:
        def next(self) -> np.ndarray:
            return (space.low + (forces.next() + 1) / 2 * (space.high - space.low)).astype(space.dtype)

    return Scaled()


class Walker:
    """Walks through miniworld's rooms, and turns for a while where a wall stops it or where it wants to look.

    Its steps are a step of the game's 30 a second, so that the camera glides: 2.5 degrees and 6 centimetres.
    """

    LEFT, RIGHT, FORWARD = 0, 1, 2

    def __init__(self, environment, seed: int):
        self.world = environment.unwrapped
        for name, size in (("turn_step", 2.5), ("forward_step", 0.06)):
            self.world.params.set(name, size, size, size)
        self.random = random.Random(seed)
        self.action, self.left, self.at = self.FORWARD, 30, None

    def next(self) -> int:
        """The action of the next step."""
        at = tuple(self.world.agent.pos)
        stopped = self.action == self.FORWARD and at == self.at
        if stopped or self.left <= 0:
            turns = stopped or self.action == self.FORWARD
            self.action = self.random.choice((self.LEFT, self.RIGHT)) if turns else self.FORWARD
            self.left = self.random.randint(10, 60) if turns else self.random.randint(20, 120)
        self.left, self.at = self.left - 1, at
        return self.action


@dataclass(frozen=True)
class Environment:
    """id: of gymnasium.make, after the module that registers it, if any. rate: steps a second of play. player: made of
    the environment and a seed. packages: module to the package that brings it.
    """

    id: str
    rate: float
    player: Callable
    packages: dict[str, str]
    options: dict = field(default_factory=dict)


ENVIRONMENTS = {
    "car-racing": Environment("CarRacing-v3", 50, Driver, BOX2D),
    "lunar-lander": Environment("LunarLander-v3", 50, held(0, 1, 2, 2, 2, 3), BOX2D),
    "bipedal-walker": Environment("BipedalWalker-v3", 50, wandering, BOX2D, {"hardcore": True}),
    "ant": Environment("Ant-v5", 20, wandering, MUJOCO, {"width": 640, "height": 512}),
    "half-cheetah": Environment("HalfCheetah-v5", 20, wandering, MUJOCO, {"width": 640, "height": 480}),
    "humanoid": Environment("Humanoid-v5", 67, wandering, MUJOCO, {"width": 600, "height": 480}),
    "miniworld-maze": Environment("miniworld:MiniWorld-Maze-v0", 30, Walker, MINIWORLD),
    "miniworld-rooms": Environment("miniworld:MiniWorld-FourRooms-v0", 30, Walker, MINIWORLD),
    "miniworld-sidewalk": Environment("miniworld:MiniWorld-Sidewalk-v0", 30, Walker, MINIWORLD),
    "miniworld-collect": Environment("miniworld:MiniWorld-CollectHealth-v0", 30, Walker, MINIWORLD),
}
GAMES = frozenset(ENVIRONMENTS)


def missing(game: str) -> list[str]:
    """The packages that the game needs and that are not here."""
    return absent(ENVIRONMENTS[game].packages)


def pictures(take: Take):
    """Yields the environment's picture, uint8 [H, W, 3], each 1/30 s of play, without end."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("MUJOCO_GL", "egl")
    game = ENVIRONMENTS[take.game]
    import gymnasium

    options = dict(game.options)
    if game.packages is MINIWORLD:
        import pyglet

        pyglet.options["headless"] = True
        options |= {"window_width": take.width, "window_height": take.height, "view": "agent"}
    environment = gymnasium.make(game.id, render_mode="rgb_array", max_episode_steps=3000, **options)
    environment.reset(seed=take.seed)
    player = game.player(environment, take.seed)
    frame, steps = 0, 0
    picture = np.ascontiguousarray(environment.render())
    while True:
        yield picture
        frame += 1
        if steps * RATE >= frame * game.rate:
            continue
        while steps * RATE < frame * game.rate:
            steps += 1
            _, _, terminated, truncated, _ = environment.step(player.next())
            if terminated or truncated:
                environment.reset()
        picture = np.ascontiguousarray(environment.render())
