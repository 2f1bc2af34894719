"""How much of an ONNX file is structure, found by walking its bytes before anything is parsed.

A parser makes objects of a hundred bytes and more out of two, so that a file of some hundred megabytes could ask for
all memory there is. Numbers of tensors are as large in memory as in the file; everything else has a limit of its own.
"""

from collections.abc import Iterator

from lvc.errors import ModelError

MAX_FILE_BYTES = 2**31 - 1  # of any protobuf message
MAX_STRUCTURE_BYTES = 1 << 20  # a node with the stack trace that exporters add takes one or two thousand

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5

# The way down to tensors, by the field numbers of onnx.proto: message -> field -> message.
DOWN = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor"},
    "tensor": {4: "numbers", 9: "numbers"},
}


def check_structure(data: bytes) -> None:
    """Raises ModelError where the bytes are no protobuf message, or hold more than 1 MiB beside numbers of tensors."""
    view = memoryview(data)
    left = MAX_STRUCTURE_BYTES
    waiting = [("model", 0, len(data))]
    while waiting:
        message, begin, end = waiting.pop()
        for number, begins, start, stop in fields(view, begin, end):
            below = DOWN[message].get(number)
            # What is looked into counts with what it holds.
            left -= (stop if below is None else start) - begins
            if left < 0:
                raise ModelError(
                    f"it has more than {MAX_STRUCTURE_BYTES >> 20} MiB beside its tensors' numbers, which no chain of "
                    "layers needs"
                )
            if below not in (None, "numbers"):
                waiting.append((below, start, stop))


def fields(view: memoryview, begin: int, end: int) -> Iterator[tuple[int | None, int, int, int]]:
    """The fields of a message: number (None for one that is a plain number), where it begins,
    and start and stop of its contents.
    """
    position = begin
    while position < end:
        begins = position
        key, position = varint(view, position, end)
        kind = key & 7
        number, length = None, {EIGHT_BYTES: 8, FOUR_BYTES: 4, VARINT: 0}.get(kind)
        if kind == VARINT:
            _, position = varint(view, position, end)
        elif kind == DELIMITED:
            number = key >> 3
            length, position = varint(view, position, end)
        elif length is None:
            raise ModelError(f"it is no ONNX file: a field of type {kind} at byte {begins:,}")
        if length > end - position:
            raise ModelError(
                f"it is no ONNX file, or cut short: {length:,} bytes announced at byte {begins:,} of {len(view):,}"
            )
        yield number, begins, position, position + length
        position += length


def varint(view: memoryview, position: int, end: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ModelError("it is no ONNX file, or cut short")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ModelError(f"it is no ONNX file: a number of more than ten bytes at byte {position:,}")
