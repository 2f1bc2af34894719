"""The windowed games: how each is started unattended, and how it is played."""

from dataclasses import dataclass, field

from recorders.window_player import Play


@dataclass(frozen=True)
class Game:
    """package: of apt. command: program and arguments. screen: its width and height. start: steps until play begins, in
    windowed.py. files: text of files in the game's home. view: left, top, width and height of what is recorded of the
    screen, for a game that does not fill it.
    """

    package: str
    command: tuple[str, ...]
    screen: tuple[int, int]
    play: Play
    start: tuple[tuple, ...] = (("drawn", 30),)
    files: dict[str, str] = field(default_factory=dict)
    view: tuple[int, int, int, int] | None = None


ARROWS = {"Up": (3, 0.3, 2.0), "Left": (2, 0.2, 1.0), "Right": (2, 0.2, 1.0), "Down": (1, 0.2, 0.8)}
DRIVE = {"Up": (6, 0.8, 3.0), "Left": (2, 0.1, 0.6), "Right": (2, 0.1, 0.6), "Down": (1, 0.2, 0.5)}
# Kenta Cho's games: z shoots, x is the second weapon.
SHOOTER = {
    "z": (4, 0.5, 2.0),
    "x": (1, 0.2, 0.8),
    "Left": (3, 0.2, 1.2),
    "Right": (3, 0.2, 1.2),
    "Up": (2, 0.2, 0.8),
    "Down": (1, 0.2, 0.6),
}

# Robots race, none of the drivers is a person.
TORCS_RACE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE params SYSTEM "../params.dtd">
<params name="Quick Race" type="param" mode="mw">
  <section name="Header">
    <attstr name="name" val="Quick Race"/>
    <attstr name="description" val="Quick Race"/>
    <attnum name="priority" val="10"/>
    <attstr name="menu image" val="data/img/splash-qr.png"/>
  </section>
  <section name="Tracks">
    <attnum name="maximum number" val="1"/>
    <section name="1"><attstr name="name" val="{track}"/><attstr name="category" val="{category}"/></section>
  </section>
  <section name="Races"><section name="1"><attstr name="name" val="Quick Race"/></section></section>
  <section name="Quick Race">
    <attnum name="distance" val="0"/>
    <attstr name="type" val="race"/>
    <attstr name="starting order" val="drivers list"/>
    <attstr name="restart" val="yes"/>
    <section name="Starting Grid">
      <attnum name="rows" val="2"/>
      <attnum name="distance to start" val="25"/>
      <attnum name="distance between columns" val="20"/>
      <attnum name="offset within a column" val="10"/>
      <attnum name="initial speed" val="0"/>
      <attnum name="initial height" val="0.2"/>
    </section>
    <attnum name="laps" val="20"/>
  </section>
  <section name="Drivers">
    <attnum name="maximum number" val="40"/>
    <attstr name="focused module" val="berniw"/>
    <attnum name="focused idx" val="4"/>
    <section name="1"><attnum name="idx" val="4"/><attstr name="module" val="berniw"/></section>
    <section name="2"><attnum name="idx" val="5"/><attstr name="module" val="olethros"/></section>
    <section name="3"><attnum name="idx" val="6"/><attstr name="module" val="lliaw"/></section>
    <section name="4"><attnum name="idx" val="3"/><attstr name="module" val="tita"/></section>
    <section name="5"><attnum name="idx" val="2"/><attstr name="module" val="inferno"/></section>
    <section name="6"><attnum name="idx" val="1"/><attstr name="module" val="damned"/></section>
  </section>
</params>
"""


def torcs(category: str, track: str) -> Game:
    """A race of robots on a track: the camera changes every 7 seconds, the car that it follows every 19."""
    menu = (("time", 3),) + 4 * (("key", "Return"), ("time", 1))
    return Game(
        "torcs",
        ("torcs",),
        (640, 480),
        Play(regular={"F2": 7, "Next": 19}),
        start=(*menu, ("drawn", 60), ("key", "F2")),
        files={".torcs/config/raceman/quickrace.xml": TORCS_RACE.format(category=category, track=track)},
    )


def shooter(name: str) -> Game:
    """A game of Kenta Cho's: abstract figures in 3-D, light and text; z begins it, and the next round."""
    return Game(
        name,
        (name, "-window", "-res", "640", "480"),
        (640, 480),
        Play(keys=SHOOTER, together=0.7, regular={"z": 9}),
        start=(("drawn", 30), ("key", "z"), ("drawn", 60)),
    )


def menu(*steps: tuple) -> tuple[tuple, ...]:
    """The steps of a menu, each after some more pictures."""
    return tuple(step for chosen in steps for step in (chosen, ("drawn", 60)))


ENTER = ("key", "Return")

GAMES = {
    "torcs-road": torcs("road", "forza"),
    "torcs-dirt": torcs("dirt", "dirt-3"),
    "trigger-rally": Game(
        "trigger-rally",
        ("trigger-rally",),
        (640, 480),
        Play(keys=DRIVE),
        # Practice, the first event, its first race, the first car.
        start=(("drawn", 60), *menu(("click", 320, 225), ("click", 230, 137), ("click", 125, 136), ENTER)),
    ),
    "gltron": Game(
        "gltron",
        ("gltron",),
        (640, 480),
        Play(keys={"a": (1, 0.05, 0.1), "s": (1, 0.05, 0.1), "k": (3, 0.4, 1.2)}, together=0, regular={"Return": 6}),
        start=(("drawn", 30), *menu(ENTER, ENTER)),
    ),
    "armagetronad": Game(
        "armagetronad",
        ("armagetronad",),
        (640, 480),
        Play(
            keys={"Left": (1, 0.04, 0.08), "Right": (1, 0.04, 0.08), "F9": (3, 0.3, 0.9)},
            together=0,
            regular={"Return": 8},
        ),
        start=(("drawn", 30), *menu(*5 * [ENTER])),
        files={".armagetronad/var/autoexec.cfg": "SP_MIN_PLAYERS 6\nSP_NUM_AIS 5\n"},
    ),
    "trackballs": Game(
        "trackballs",
        ("trackballs", "-w"),
        (640, 480),
        Play(keys=ARROWS, regular={"space": 10}),
        start=(("drawn", 120), *menu(ENTER, ("click", 321, 320), ("key", "space"))),
        view=(160, 120, 320, 240),
    ),
    "billard-gl": Game(
        "billard-gl",
        ("billard-gl",),
        (640, 480),
        # Away from the menu's lower entries, one of which ends the game.
        Play(
            keys={**ARROWS, "space": (3, 0.3, 1.0)},
            strokes="position",
            area=(0.15, 0.25, 0.85, 0.6),
            buttons={"left": 20},
        ),
        start=(("drawn", 90), *menu(("click", 320, 200), ("click", 320, 200), ("key", "Escape"), ("click", 320, 183))),
    ),
    "titanion": shooter("titanion"),
    "mu-cade": shooter("mu-cade"),
    "torus-trooper": shooter("torus-trooper"),
}
