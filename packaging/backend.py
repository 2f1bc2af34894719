"""setuptools' build backend, which asks for PyPI's ziglang where the machine has no C compiler of its own."""

import importlib.util
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403, the hooks that stay as they are

ZIG = "ziglang>=0.13"
_spec = importlib.util.spec_from_file_location(
    "lvc_kernels_build", Path(__file__).parent.parent / "lvc/kernels/build.py"
)
_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_build)


def compiler_requirements() -> list[str]:
    return [] if _build.find_compiler() else [ZIG]


def get_requires_for_build_wheel(config_settings=None):
    return build_meta.get_requires_for_build_wheel(config_settings) + compiler_requirements()


def get_requires_for_build_editable(config_settings=None):
    return build_meta.get_requires_for_build_editable(config_settings) + compiler_requirements()
