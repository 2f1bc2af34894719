"""Which of the packages that a source needs are here."""

import importlib.util
import shutil
from collections.abc import Mapping


def absent(modules: Mapping[str, str]) -> list[str]:
    """Of modules by name, the packages that bring those which cannot be found. Nothing is imported."""
    return [package for module, package in modules.items() if importlib.util.find_spec(module) is None]


def absent_programs(programs: Mapping[str, str], path: str) -> list[str]:
    """Of programs by name, the packages that bring those which are not on the path."""
    return [package for program, package in programs.items() if shutil.which(program, path=path) is None]
