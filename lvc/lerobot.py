"""Importing this lets LeRobot's datasets read videos in `.lvc` files: `lvc convert --from lerobot` makes such datasets.

    import lvc.lerobot
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("me/game", root="game_lvc")

A DataLoader that spawns its workers needs the import at the top of the program, where they find it too.
"""

from lvc.reading.lerobot_videos import frames_at_seconds, register

__all__ = ["frames_at_seconds", "register"]

register()
