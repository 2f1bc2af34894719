"""Symbols coded in order of their tables' sizes: the same frequencies as table by table, escapes included."""

import numpy as np
import pytest

from lvc.codecs.temporal.prediction import prediction_tables
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.tables import Tables, from_counts, from_probabilities
from lvc.errors import FormatError


def mixed() -> Tables:
    generator = np.random.default_rng(0)
    parts = [from_counts(generator.integers(0, 50, (3, size)), -2, escape=True).to_arrays() for size in (3, 9, 3, 40)]
    return Tables.from_arrays(
        {name: np.concatenate([part[name] for part in parts]) for name in ("frequencies", "sizes", "lows", "escapes")}
    )


def test_what_was_written_is_read_with_escapes_of_any_distance():
    tables, generator = mixed(), np.random.default_rng(1)
    writer, runs = SymbolWriter(), []
    for count in (0, 1, 500, 3):
        indices = generator.integers(0, len(tables), count)
        symbols = np.rint(generator.laplace(0, 20, count)).astype(np.int32)
        if count == 500:
            symbols[[3, 50, 400]] = [2**31 - 1, -(2**31), 70_000]
        runs.append((symbols, indices))
        assert np.array_equal(writer.code_by_size(symbols, tables, indices), symbols)
    reader = SymbolReader(writer.finish())
    for symbols, indices in runs:
        assert np.array_equal(reader.code_by_size(None, tables, indices), symbols)


@pytest.mark.parametrize("which", [0, 1], ids=["copies", "residuals"])
def test_the_frequencies_are_those_of_the_tables_to_the_last_unit(which):
    # One symbol a call: then the order is the same, and equal bytes mean equal frequencies.
    tables, generator = prediction_tables()[which], np.random.default_rng(2)
    one, other = SymbolWriter(), SymbolWriter()
    for index in range(len(tables)):
        for local in generator.integers(0, tables.covers[index], 12):
            symbol, at = np.array([tables.lows[index] + local], np.int32), np.array([index])
            one.code(symbol, tables, at)
            other.code_by_size(symbol, tables, at)
    assert one.finish() == other.finish()


def test_symbols_that_no_table_covers_are_refused():
    tables = from_probabilities([(0.5, 0.5), (0.1, 0.9)], [0, 0], escape=False)
    with pytest.raises(ValueError, match="outside its table"):
        SymbolWriter().code_by_size(np.array([0, 2]), tables, np.array([0, 1]))


def test_damaged_bytes_are_a_format_error():
    tables = mixed()
    for seed in range(30):
        generator = np.random.default_rng(seed)
        reader = SymbolReader(generator.bytes(40))
        try:
            for _ in range(20):
                reader.code_by_size(None, tables, generator.integers(0, len(tables), 10))
        except FormatError:
            continue
