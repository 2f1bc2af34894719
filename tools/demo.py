"""The whole road in one go: encode the sample clip with a shipped model, decode it, measure it,
say where things are.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "datasets" / "clips" / "ms_pacman.mp4"
FOLDER = ROOT / "demo"


def lvc(*arguments) -> str:
    """Runs one command as a user would type it, shows it, and gives what it printed for programs."""
    words = [str(argument.relative_to(ROOT)) if isinstance(argument, Path) else argument for argument in arguments]
    print(f"\n$ lvc {' '.join(words)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "lvc", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    print(done.stdout, end="", flush=True)
    return done.stdout


def main() -> None:
    started = time.monotonic()
    FOLDER.mkdir(exist_ok=True)
    coded, pictures, report = FOLDER / "game.lvc", FOLDER / "decoded.mp4", FOLDER / "report.html"
    lvc("encode", CLIP, "-o", coded, "-y")
    lvc("info", coded)
    lvc("decode", coded, "-o", pictures, "-y")
    lvc("report", coded, CLIP, "-o", report, "-y")
    print(f"\nrecording  {CLIP.stat().st_size:>10,} bytes  {CLIP.relative_to(ROOT)}")
    print(f"coded      {coded.stat().st_size:>10,} bytes  {coded.relative_to(ROOT)}")
    print(f"decoded    {pictures.stat().st_size:>10,} bytes  {pictures.relative_to(ROOT)}")
    print(f"report     {report.stat().st_size:>10,} bytes  {report.relative_to(ROOT)}  (open it in a browser)")
    print(f"\nNow try: .venv/bin/lvc play {coded.relative_to(ROOT)}   ({time.monotonic() - started:.0f} s so far)")


if __name__ == "__main__":
    main()
