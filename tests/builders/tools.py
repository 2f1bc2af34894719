"""The programs of `tools/`, as modules and as commands."""

import importlib.util
import os
import subprocess
import sys
from types import ModuleType

from tests import ROOT


def module_of(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tool  # dataclasses look there
    spec.loader.exec_module(tool)
    return tool


def run(name: str, *arguments) -> subprocess.CompletedProcess:
    """Runs tools/NAME.py on this checkout; its output is text."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "tools" / f"{name}.py", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
