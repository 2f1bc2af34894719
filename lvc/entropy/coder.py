"""Whole numbers to bytes and back, with a range coder driven by frequency tables.

Writer and reader offer the same call, `code`, so that the order of coding is written once: the writer gives back the
symbols that it was given, the reader ignores its argument and gives the symbols that it finds.

The bytes are one long binary fraction, the most significant byte first. The reader continues it with zeros, so the
writer ends with the shortest fraction that is still inside the final interval.
"""

import numpy as np
from constriction import stream

from lvc.entropy.tables import ESCAPE_CLASSES, Tables, categorical, escape_class, escape_excess, escape_symbol
from lvc.errors import FormatError

CHUNK_BITS = 16  # uniform bits go in pieces of at most this many
_ESCAPE_MODEL = categorical(ESCAPE_CLASSES)
_BY_SIZE = stream.model.Categorical(perfect=False)  # its frequencies come with each symbol


class SymbolWriter:
    """Collects symbols and gives the bytes at the end."""

    def __init__(self):
        self._encoder = stream.queue.RangeEncoder()

    def code(self, symbols: np.ndarray, tables: Tables, indices: np.ndarray) -> np.ndarray:
        """Codes symbols [N], whole numbers within 32 bits, each under the table of its index [N]; gives int32 [N].

        Raises ValueError for a symbol that its table neither covers nor escapes.
        """
        symbols, indices = np.asarray(symbols), np.asarray(indices)
        coded, escaped, excess = self._local(symbols, tables, indices)
        for index, places in _by_table(indices):
            if tables.sizes[index] > 1:
                self._encoder.encode(np.ascontiguousarray(coded[places]), tables.model(index))
        if len(escaped):
            self._escape(excess)
        return symbols.astype(np.int32)

    def code_by_size(self, symbols: np.ndarray, tables: Tables, indices: np.ndarray) -> np.ndarray:
        """As `code`, but in order of their tables' sizes, and in the symbols' own order within a size.

        Faster where many tables are in use at once: a call for each size instead of one for each table.
        """
        symbols, indices = np.asarray(symbols), np.asarray(indices)
        if not len(symbols):
            return symbols.astype(np.int32)
        coded, escaped, excess = self._local(symbols, tables, indices)
        for size, places in _by_table(tables.size_ranks[indices]):
            self._encoder.encode(np.ascontiguousarray(coded[places]), _BY_SIZE, tables.of_size(size, indices[places]))
        if len(escaped):
            self._escape(excess)
        return symbols.astype(np.int32)

    def _local(
        self, symbols: np.ndarray, tables: Tables, indices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of the symbols in their tables, which of them are escapes, and how far those lie outside."""
        if symbols.ndim != 1 or symbols.shape != indices.shape or symbols.dtype.kind not in "iu":
            raise ValueError(f"symbols {symbols.dtype} {list(symbols.shape)} with indices {list(indices.shape)}")
        local = symbols.astype(np.int64) - tables.lows[indices]
        covers = tables.covers[indices]
        outside = (local < 0) | (local >= covers)
        coded = local.astype(np.int32)
        escaped = np.flatnonzero(outside)
        if not len(escaped):
            return coded, escaped, escaped
        if not tables.escapes[indices[escaped]].all() or symbols.max() >= 2**31 or symbols.min() < -(2**31):
            raise ValueError("a symbol is outside its table, which has no escape, or outside 32 bits")
        coded[escaped] = covers[escaped]
        return coded, escaped, escape_excess(local[escaped], covers[escaped].astype(np.int64))

    def code_bits(self, symbols: np.ndarray, width: int, count: int) -> np.ndarray:
        """Codes `count` whole numbers, 0 … 2**width - 1 with width up to 32, at `width` bits each;
        gives int64 [count].
        """
        symbols = np.asarray(symbols, np.int64)
        if symbols.shape != (count,) or (count and not 0 <= symbols.min() <= symbols.max() < 1 << width):
            raise ValueError(f"expected {count} numbers of {width} bits")
        self._uniform(symbols, width)
        return symbols

    def _uniform(self, values: np.ndarray, bits: int) -> None:
        for shift, width in _chunks(bits):
            piece = ((values >> shift) & ((1 << width) - 1)).astype(np.int32)
            self._encoder.encode(piece, stream.model.Uniform(1 << width))

    def _escape(self, excess: np.ndarray) -> None:
        classes = escape_class(excess)
        self._encoder.encode(classes.astype(np.int32), _ESCAPE_MODEL)
        rest = excess + 1 - (np.int64(1) << classes)
        for bits, places in _by_table(classes):
            self._uniform(rest[places], bits)

    def finish(self) -> bytes:
        """The shortest bytes from which a SymbolReader gives the same symbols;
        none at all where the symbols were certain.
        """
        words = self._encoder.get_compressed()
        if not len(words):
            return b""
        lower, size = self._encoder.pos()[1]
        value = int.from_bytes(words.astype(">u4").tobytes(), "big")
        # The last word stands for the first 2**32-multiple at or above `lower`; all of value … value+room will decode.
        sealed = int(words[-1]) << 32
        room = (size - 1 - ((sealed - lower) % 2**64)) >> 32
        for kept in range(4):
            unit = 1 << (8 * (4 - kept))
            rounded = -(-value // unit) * unit
            if rounded - value <= room:
                value = rounded
                break
        # A carry out of the top cannot happen: the whole interval lies below 1.
        return value.to_bytes(4 * len(words), "big").rstrip(b"\0")


class SymbolReader:
    """Finds the symbols that a SymbolWriter was given, when asked in the same order with the same tables.

    bits: what the symbols cost so far, if it measures.
    """

    bits = 0.0

    def __init__(self, payload: bytes):
        padded = bytes(payload) + bytes(-len(payload) % 4)
        self._decoder = stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))

    def code(self, symbols: None, tables: Tables, indices: np.ndarray) -> np.ndarray:
        """Gives int32 symbols [N], each under the table of its index [N];
        raises FormatError where the bytes allow none.
        """
        indices = np.asarray(indices)
        local = np.zeros(len(indices), np.int64)
        for index, places in _by_table(indices):
            if tables.sizes[index] > 1:
                local[places] = self._decode(
                    tables.model(index), len(indices) if isinstance(places, slice) else len(places)
                )
        return self._symbols(local, tables, indices)

    def _symbols(self, local: np.ndarray, tables: Tables, indices: np.ndarray) -> np.ndarray:
        """The symbols at these places of their tables, with the escaped ones read."""
        covers = tables.covers[indices]
        escaped = np.flatnonzero(local == covers)
        if len(escaped):
            local[escaped] = escape_symbol(self._escape(len(escaped)), covers[escaped].astype(np.int64))
        result = local + tables.lows[indices]
        if len(escaped) and (np.abs(result[escaped] + 0.5) > 2**31).any():
            raise FormatError("the coded symbols are damaged: an escaped symbol is outside 32 bits")
        return result.astype(np.int32)

    def code_by_size(self, symbols: None, tables: Tables, indices: np.ndarray) -> np.ndarray:
        """Gives int32 symbols [N]; see the writer's."""
        indices = np.asarray(indices)
        if not len(indices):
            return np.zeros(0, np.int32)
        if tables.plain:
            return self._decode(_BY_SIZE, tables.of_size(0, indices))
        local = np.zeros(len(indices), np.int64)
        for size, places in _by_table(tables.size_ranks[indices]):
            local[places] = self._decode(_BY_SIZE, tables.of_size(size, indices[places]))
        return self._symbols(local, tables, indices)

    def code_bits(self, symbols: None, width: int, count: int) -> np.ndarray:
        """Gives int64 [count] numbers of `width` bits."""
        return self._uniform(width, count)

    def _uniform(self, bits: int, count: int) -> np.ndarray:
        values = np.zeros(count, np.int64)
        for shift, width in _chunks(bits):
            values |= self._decode(stream.model.Uniform(1 << width), count).astype(np.int64) << shift
        return values

    def _escape(self, count: int) -> np.ndarray:
        classes = self._decode(_ESCAPE_MODEL, count)
        rest = np.zeros(count, np.int64)
        for bits, places in _by_table(classes):
            rest[places] = self._uniform(bits, count if isinstance(places, slice) else len(places))
        return rest + (np.int64(1) << classes.astype(np.int64)) - 1

    def _decode(self, model, count: int | np.ndarray) -> np.ndarray:
        try:
            return self._decoder.decode(model, count)
        except BaseException as error:
            # constriction's panics are BaseExceptions, of a class that cannot be imported.
            if isinstance(error, AssertionError) or type(error).__name__ == "PanicException":
                raise FormatError("the coded symbols are damaged: no symbol fits the bytes") from error
            raise


def _by_table(indices: np.ndarray):
    """Yields (table, places of its symbols), tables in order, places ascending;
    all places as a slice where there is one table.
    """
    if not len(indices):
        return
    counts = np.bincount(indices)
    present = np.flatnonzero(counts)
    if len(present) == 1:
        yield int(present[0]), slice(None)
        return
    # 16-bit keys make numpy's stable sort a radix sort.
    keys = indices.astype(np.uint16) if len(counts) <= 1 << 16 else indices
    order = np.argsort(keys, kind="stable")
    stop = 0
    for index in present.tolist():
        start, stop = stop, stop + int(counts[index])
        yield index, order[start:stop]


def _chunks(bits: int):
    """Yields (shift, width) of the pieces of a number of so many bits, the highest piece first."""
    shift = bits
    while shift:
        width = (shift - 1) % CHUNK_BITS + 1
        shift -= width
        yield shift, width
