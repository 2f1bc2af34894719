"""What pyproject.toml cannot say: the kernels are compiled, and one wheel a platform serves all Pythons."""

import importlib.util
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

_spec = importlib.util.spec_from_file_location("lvc_kernels_build", Path(__file__).parent / "lvc/kernels/build.py")
kernels = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(kernels)


class BuildWithKernels(build_py):
    """Puts the library of kernels into the package; an editable install has it beside its sources."""

    def run(self):
        super().run()
        kernels.build(
            kernels.LIBRARY if self.editable_mode else Path(self.build_lib) / "lvc/kernels" / kernels.LIBRARY.name
        )


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class BinaryDistribution(Distribution):
    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildWithKernels, "bdist_wheel": PlatformWheel}, distclass=BinaryDistribution)
