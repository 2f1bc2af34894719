"""Games of the Atari 2600, by the emulator and the ROMs of ale-py."""

import cv2

from recorders.modules import absent
from recorders.player import HeldActions
from recorders.take import Take

ENLARGE = cv2.INTER_NEAREST  # as an emulator's window shows its pixels
GAMES = None  # any that ale-py brings
EMULATED_FRAMES = 2  # emulator frames per recorded frame: it runs at 60 a second
STICKINESS = 0.25  # chance that the emulator repeats the last action (Machado et al. 2018, section 5.2)


def missing(_game: str) -> list[str]:
    """The packages that the game needs and that are not here."""
    return absent({"ale_py": "pip ale-py"})


def pictures(take: Take):
    """Yields the emulator's picture, uint8 [210, 160, 3], once for each recorded frame, without end."""
    import ale_py

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    emulator = ale_py.ALEInterface()
    emulator.setInt("random_seed", take.seed)
    emulator.setFloat("repeat_action_probability", STICKINESS)
    emulator.loadROM(ale_py.roms.get_rom_path(take.game))
    player = HeldActions(list(emulator.getMinimalActionSet()), take.seed)
    while True:
        for _ in range(EMULATED_FRAMES):
            if emulator.game_over():
                emulator.reset_game()
            emulator.act(player.action)
        player.next()
        yield emulator.getScreenRGB()
