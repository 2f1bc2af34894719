"""How long functions may be."""

import ast

from tests import ROOT

LONGEST = 80  # lines: what one screen shows; a longer one is parted by subject


def functions(tree: ast.AST) -> list[tuple[str, int]]:
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    return [(node.name, node.end_lineno - node.lineno + 1) for node in ast.walk(tree) if isinstance(node, kinds)]


def test_no_function_of_the_package_is_longer_than_a_screen():
    found = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in (ROOT / "lvc").rglob("*.py")
        for name, lines in functions(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(found) > 1000  # they were seen at all
    assert not {name: lines for name, lines in found.items() if lines > LONGEST}
