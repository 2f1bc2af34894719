"""Players who need no eyes: they hold what they do for a while, as people do."""

import random
from collections.abc import Sequence

import numpy as np


class HeldActions:
    """Draws an action from a table and holds it for 4 to 24 recorded frames (0.13 to 0.8 s), then another."""

    def __init__(self, actions: Sequence, seed: int, *, shortest: int = 4, longest: int = 24):
        self.random = random.Random(seed)
        self.actions, self.shortest, self.longest = actions, shortest, longest
        self.action, self.left = actions[0], 0

    def next(self):
        """The action of the next step."""
        if self.left == 0:
            self.action = self.random.choice(self.actions)
            self.left = self.random.randint(self.shortest, self.longest)
        self.left -= 1
        return self.action


class WanderingForces:
    """Forces that wander: a step of an Ornstein-Uhlenbeck process in each direction, within -1 and 1.

    inertia: the share of the last step's force that the next keeps.
    """

    def __init__(self, directions: int, seed: int, *, inertia: float = 0.95):
        self.random = np.random.default_rng(seed)
        self.forces, self.inertia = np.zeros(directions), inertia

    def next(self) -> np.ndarray:
        """The forces of the next step, float64 [directions]."""
        spread = np.sqrt(1 - self.inertia**2) * 0.8
        self.forces = self.inertia * self.forces + spread * self.random.standard_normal(len(self.forces))
        return np.clip(self.forces, -1, 1)
