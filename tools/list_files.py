"""Writes the list of files in docs/structure.md: a line a file, with the first sentence that the file says of itself.

    python tools/list_files.py [--check]

With --check nothing is written, and the exit code is 1 where the page is not what the files say.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "structure.md"
MARKS = "<!-- files -->\n", "<!-- end of files -->\n"
OTHERS = {".safetensors": "Weights.", ".html": "The page that the report is put into."}


def first_sentence(text: str) -> str:
    """Up to a full stop or colon that ends a sentence, on one line."""
    whole = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.])\s+(?=[A-Z`])", whole)[0]


def described(path: Path) -> str:
    """What a file says of itself; "" where it says nothing."""
    if path.suffix == ".py":
        return first_sentence(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    if path.suffix in (".c", ".h"):
        found = re.match(r"/\*(.*?)\*/", path.read_text(encoding="utf-8"), re.DOTALL)
        return first_sentence(re.sub(r"\n \*", "\n", found[1])) if found else ""
    return OTHERS.get(path.suffix, "")


def files(package: Path) -> list[Path]:
    kinds = (".py", ".c", ".h", *OTHERS)
    found = [path for path in package.rglob("*") if path.suffix in kinds and "__pycache__" not in path.parts]
    # A folder's empty mark, and a source whose header speaks for it, need no line of their own.
    return sorted(path for path in found if path.stat().st_size and not (path.suffix == ".c" and headed(path)))


def headed(path: Path) -> bool:
    return path.with_suffix(".h").exists()


def listing(root: Path = ROOT) -> str:
    lines: list[str] = []
    folder = None
    for path in sorted(files(root / "lvc"), key=lambda path: (path.parent.parts, path.name)):
        if path.parent != folder:
            folder = path.parent
            lines += ["", f"### `{folder.relative_to(root).as_posix()}/`", ""]
        name = path.name
        if path.suffix == ".h" and path.with_suffix(".c").exists():
            name = f"{path.stem}.c`, `.h"
        lines.append(f"- `{name}`: {described(path)}")
    return "\n".join(lines[1:]) + "\n"


def page_with(text: str, found: str) -> str:
    start, end = MARKS
    before, after = text.split(start)[0], text.split(end)[1]
    return f"{before}{start}{found}{end}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the page is another")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = page_with(old, listing())
    if check:
        sys.exit(f"{PAGE.name} is not what the files say: python tools/list_files.py" if new != old else 0)
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
