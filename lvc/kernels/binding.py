"""The binding of the C kernels: numpy arrays in, one struct a call, without Python's lock while it runs.

    find_planes = Kernel("lvc_grid_planes", Struct(sizes="height width", arrays={"colours": ("int32", "height width")}))
    find_planes(colours=picture)

A size is the length of the axes that bear its name; arrays that disagree about one are a fault of ours, as is another
type or an array with gaps: all of these raise KernelError before C sees a pointer. Mistakes in the declaration itself
are found by tests/kernels/test_binding.py, which compares it with the header.
"""

import ctypes
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Generic, Literal, TypeVar, overload

import numpy as np

from lvc.errors import LvcError
from lvc.kernels.build import LIBRARY, sources_digest

LIBRARY_VARIABLE = "LVC_KERNELS"  # another build of the same sources, as one with sanitizers
_BUILD = "`python -m lvc.kernels.build` builds it"


class KernelError(LvcError):
    """The library of compiled kernels is missing or stale, or was called with arrays that do not fit."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The shared library; raises KernelError where it is missing, or was built from other sources than lie beside
    it.
    """
    path = Path(os.environ.get(LIBRARY_VARIABLE) or LIBRARY)
    if not path.exists():
        raise KernelError(f"the compiled kernels {path} are missing: {_BUILD}")
    try:
        loaded = ctypes.CDLL(str(path))
        loaded.lvc_sources_digest.restype = ctypes.c_char_p
        built = loaded.lvc_sources_digest().decode()
    except (OSError, AttributeError) as error:
        raise KernelError(f"the compiled kernels {path} cannot be loaded: {error}; {_BUILD}") from error
    # An installed package has no sources
    if LIBRARY.with_name("version.c").exists() and built != (here := sources_digest()):
        raise KernelError(
            f"the compiled kernels {path} are of other sources ({built}) than lie here ({here}): {_BUILD} anew"
        )
    return loaded


def names(words: "str | tuple[str, ...]") -> tuple[str, ...]:
    return tuple(words.split()) if isinstance(words, str) else tuple(words)


class Struct:
    """One C struct: int64 sizes, int64 integers, double reals, pointers to other structs, and pointers to arrays, in
    this order.

    sizes, integers, reals: names, separated by spaces. structs: name to Struct. arrays: name to (dtype, axes): axes are
    names of sizes, or whole numbers, separated by spaces. A size that no array bears is given by name like an integer.
    """

    def __init__(
        self,
        *,
        sizes: str = "",
        integers: str = "",
        reals: str = "",
        structs: "Mapping[str, Struct] | None" = None,
        arrays: Mapping[str, tuple[str, str]] | None = None,
    ):
        self.sizes, self.integers, self.reals, self.structs = (
            names(sizes),
            names(integers),
            names(reals),
            dict(structs or {}),
        )
        self.arrays = {
            name: (np.dtype(dtype), tuple(int(axis) if axis.isdigit() else axis for axis in names(axes)))
            for name, (dtype, axes) in (arrays or {}).items()
        }
        whole = [(name, ctypes.c_int64) for name in self.sizes + self.integers]
        pointers = [(name, ctypes.c_void_p) for name in (*self.structs, *self.arrays)]
        fields = [*whole, *((name, ctypes.c_double) for name in self.reals), *pointers]
        self.plain = frozenset(self.integers + self.reals)
        self.type = type("Values", (ctypes.Structure,), {"_fields_": fields, "__slots__": ("kept",)})
        self._named_axes = {
            name: tuple({axis for axis in axes if isinstance(axis, str)}) for name, (_, axes) in self.arrays.items()
        }
        self._bearers = {size: [name for name, (_, axes) in self.arrays.items() if size in axes] for size in self.sizes}

    def __call__(self, **values) -> ctypes.Structure:
        """The struct filled in; it holds on to its arrays as `kept`. What is not given is 0, or no array."""
        made = self.type()
        made.kept = {}
        self._fill(made, values, {})
        return made

    def replace(self, made: ctypes.Structure, **values) -> None:
        """Puts other values into a struct that was made here; arrays must fit those that stay."""
        known, kept = {}, made.kept
        for given in values:
            for axis in self._named_axes.get(given, ()):
                for name in self._bearers[axis]:
                    if name in kept and name not in values:
                        known[axis] = getattr(made, axis)
                        break
        self._fill(made, values, known)

    def _fill(self, made: ctypes.Structure, values: dict, known: dict[str, int]) -> None:
        arrays, kept = self.arrays, made.kept
        for name, value in values.items():
            if name in arrays:
                dtype, axes = arrays[name]
                shape, given = value.shape, value.dtype
                if (given is not dtype and given != dtype) or len(shape) != len(axes) or not value.flags.c_contiguous:
                    raise KernelError(f"{name} must be {dtype} {list(axes)} without gaps, not {given} {list(shape)}")
                for axis, length in zip(axes, shape):
                    if (axis if isinstance(axis, int) else known.setdefault(axis, length)) != length:
                        raise KernelError(f"{name} must be {list(axes)} with {known}, not {list(shape)}")
                setattr(made, name, address(value))
                kept[name] = value
            elif name in self.plain:
                setattr(made, name, value)
            elif name in self.structs:
                setattr(made, name, ctypes.addressof(value))
                kept[name] = value
            elif name in self.sizes:
                if known.setdefault(name, int(value)) != value:
                    raise KernelError(f"{name} is {value}, but of an array {known[name]}")
            else:
                raise KernelError(f"there is no {name} in this struct")
        for name, size in known.items():
            setattr(made, name, size)


def address(array: np.ndarray) -> int:
    """Where an array's first element lies."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # a quarter of the time of what follows
    except (TypeError, ValueError):  # one that is read alone, or has no elements
        return array.__array_interface__["data"][0]


Number = TypeVar("Number", int, float)


class Kernel(Generic[Number]):
    """A function of the library: takes its struct's members by name, or a struct made before;
    gives a whole number, or with real a float.
    """

    @overload
    def __init__(self: "Kernel[int]", symbol: str, struct: Struct): ...

    @overload
    def __init__(self: "Kernel[float]", symbol: str, struct: Struct, *, real: Literal[True]): ...

    def __init__(self, symbol: str, struct: Struct, *, real: bool = False):
        self.symbol, self.struct, self._real = symbol, struct, real
        self._function: Callable[[int], Number] | None = None

    def __call__(self, made: ctypes.Structure | None = None, /, **values) -> Number:
        if self._function is None:
            function = getattr(library(), self.symbol)
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_double if self._real else ctypes.c_int64
            self._function = function
        if made is None:
            made = self.struct(**values)
        return self._function(ctypes.addressof(made))
