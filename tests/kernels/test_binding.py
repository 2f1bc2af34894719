"""What reaches C: arrays of the declared type and shape alone, and structs that are declared alike on both sides."""

import ctypes
import importlib
import pkgutil
import re

import numpy as np
import pytest

import lvc
from lvc.kernels import build
from lvc.kernels.binding import Kernel, KernelError, Struct, address
from tests.builders import kernels as builders

BOX = Struct(
    sizes="rows columns spare",
    integers="turn",
    reals="share",
    arrays={"picture": ("uint8", "rows columns"), "sums": ("int64", "rows"), "pixels": ("int16", "rows columns 3")},
)


def test_sizes_are_those_of_the_arrays():
    made = BOX(picture=np.zeros((2, 3), np.uint8), sums=np.zeros(2, np.int64), turn=7, share=0.5, spare=9)
    assert (made.rows, made.columns, made.spare, made.turn, made.share) == (2, 3, 9, 7, 0.5)
    assert made.pixels is None and made.picture == made.kept["picture"].ctypes.data


@pytest.mark.parametrize(
    "arrays",
    [
        {"picture": np.zeros((2, 3), np.int8)},
        {"picture": np.zeros(6, np.uint8)},
        {"picture": np.zeros((2, 6), np.uint8)[:, ::2]},
        {"picture": np.zeros((2, 3), np.uint8), "sums": np.zeros(3, np.int64)},
        {"pixels": np.zeros((2, 3, 4), np.int16)},
        {"picture": np.zeros((2, 3), np.uint8), "rows": 3},
        {"other": np.zeros(2)},
    ],
    ids=["type", "axes", "gaps", "disagreement", "fixed axis", "size", "name"],
)
def test_what_does_not_fit_is_refused(arrays):
    with pytest.raises(KernelError):
        BOX(**arrays)


def declared() -> dict[str, Struct]:
    """Every kernel of the package, and those of tests: symbol to struct."""
    found = {value.symbol: value.struct for value in vars(builders).values() if isinstance(value, Kernel)}
    for module in pkgutil.walk_packages(lvc.__path__, "lvc."):
        if module.name.startswith(
            (
                "lvc.native",
                "lvc.entropy.bits",
                "lvc.entropy.mixing",
                "lvc.codecs.palette",
                "lvc.codecs.hybrid",
                "lvc.codecs.restoration",
                "lvc.motion",
            )
        ):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Kernel):
                    found[value.symbol] = value.struct
    return found


def members(text: str) -> list[tuple[str, str]]:
    """(kind, name) of each member of a struct's body."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = []
    for line in filter(None, map(str.strip, text.split(";"))):
        line = re.sub(r"\b(const|struct|restrict)\b", "", line).strip()
        kind, rest = re.match(r"(\w+)\s*(.*)", line, re.DOTALL).groups()
        for part in rest.split(","):
            found.append((kind + "*" * part.count("*"), part.replace("*", "").strip()))
    return found


def test_structs_are_declared_alike_in_c_and_python():
    headers = re.sub(r"//.*", "", "\n".join(path.read_text() for path in build.sources()))
    structs = {
        name: members(body)
        for body, name in re.findall(r"typedef struct(?: \w+)? \{(.*?)\} (\w+);", headers, re.DOTALL)
    }
    functions = dict(re.findall(r"LVC_API \w+ (\w+)\((?:const )?(\w+) \*\w+\);", headers))
    kernels = declared()
    assert kernels.keys() == functions.keys(), "every exported kernel has a binding, and every binding a kernel"

    def compare(struct: Struct, name: str) -> None:
        kinds = [("int64_t", one) for one in struct.sizes + struct.integers] + [("double", one) for one in struct.reals]
        told = structs[name]
        inner = told[len(kinds) : len(kinds) + len(struct.structs)]
        assert told[: len(kinds)] == kinds, name
        assert [one for _, one in inner] == list(struct.structs), name
        for kind, one in inner:
            compare(struct.structs[one], kind.removesuffix("*"))
        arrays = [
            ({"float64": "double", "float32": "float"}.get(str(dtype), f"{dtype}_t") + "*", one)
            for one, (dtype, _) in struct.arrays.items()
        ]
        assert told[len(kinds) + len(inner) :] == arrays, name
        assert ctypes.sizeof(struct.type) == 8 * len(told)

    for symbol, struct in kernels.items():
        compare(struct, functions[symbol])


def test_addresses_are_those_of_numpy():
    """Also of arrays that are read alone, and of empty ones, which ctypes does not take."""
    whole, fixed = np.zeros((2, 3), np.uint8), np.zeros(4, np.int64)
    fixed.flags.writeable = False
    for array in (whole, whole[1], fixed, np.empty((0, 3), np.int16)):
        assert address(array) == array.__array_interface__["data"][0]
