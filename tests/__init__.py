"""The tests: a folder a room, `builders` for what several of them make, `golden` files that decode for ever,
`fuzz` targets.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
