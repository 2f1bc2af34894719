import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.tables import TOTAL, Tables, from_probabilities
from lvc.errors import FormatError
from tests.entropy.range_decoder import PlainDecoder

INT32 = st.integers(-(2**31), 2**31 - 1)


def logistic_tables(count=40):
    """Tables from nearly certain to wide, each with an escape."""
    masses, lows = [], []
    for level in range(count):
        scale = 2.0 ** (-5 + level / 4)
        reach = int(min(100, np.ceil(10 * scale) + 1))
        distance = np.abs(np.arange(-reach, reach + 1))
        masses.append(1 / (1 + np.exp((distance - 0.5) / scale)) - 1 / (1 + np.exp((distance + 0.5) / scale)))
        lows.append(-reach)
    return from_probabilities(masses, lows, escape=True)


TABLES = logistic_tables()


def written(*parts) -> bytes:
    writer = SymbolWriter()
    for symbols, indices in parts:
        assert np.array_equal(writer.code(symbols, TABLES, indices), symbols)
    return writer.finish()


def drawn(count, seed=0):
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, len(TABLES), count)
    return np.rint(rng.logistic(0, 1, count) * 2.0 ** (-5 + indices / 4)).astype(np.int32), indices


@given(
    st.lists(
        st.lists(st.tuples(INT32 | st.integers(-50, 50), st.integers(0, len(TABLES) - 1)), max_size=40), max_size=4
    )
)
@settings(max_examples=150, deadline=None)
def test_round_trip_of_any_symbols(calls):
    parts = [(np.array([s for s, _ in call], np.int32), np.array([i for _, i in call], np.int32)) for call in calls]
    reader = SymbolReader(written(*parts))
    for symbols, indices in parts:
        result = reader.code(None, TABLES, indices)
        assert result.dtype == np.int32
        assert np.array_equal(result, symbols)


def test_many_short_streams_waste_less_than_a_byte():
    waste = []
    for seed in range(400):
        symbols, indices = drawn(1 + seed % 60, seed)
        payload = written((symbols, indices))
        assert np.array_equal(SymbolReader(payload).code(None, TABLES, indices), symbols)
        waste.append(len(payload) - TABLES.bits(symbols, indices) / 8)
    assert np.mean(waste) < 0.5  # constriction's whole words: 2.1


def test_bytes_are_within_one_percent_of_the_ideal():
    symbols, indices = drawn(5000)
    assert len(written((symbols, indices))) * 8 == pytest.approx(TABLES.bits(symbols, indices), rel=0.01)


def test_escapes_are_counted_in_the_ideal():
    symbols = np.random.default_rng(1).integers(-(2**31), 2**31 - 1, 3000)
    indices = np.arange(3000) % len(TABLES)
    assert len(written((symbols, indices))) * 8 == pytest.approx(TABLES.bits(symbols, indices), rel=0.01)


def test_nearly_certain_symbols_cost_nothing():
    tables = from_probabilities([np.array([1 - 2.0**-20, 2.0**-20])], [0], escape=False)
    writer = SymbolWriter()
    writer.code(np.zeros(50_000, np.int32), tables, np.zeros(50_000, np.int32))
    payload = writer.finish()
    assert len(payload) <= 1
    assert not SymbolReader(payload).code(None, tables, np.zeros(50_000, np.int32)).any()


def test_a_table_of_one_symbol_costs_nothing():
    tables = from_probabilities([np.array([1.0])], [7], escape=False)
    writer = SymbolWriter()
    writer.code(np.full(9, 7), tables, np.zeros(9, np.int32))
    assert writer.finish() == b""
    assert SymbolReader(b"").code(None, tables, np.zeros(9, np.int32)).tolist() == [7] * 9


def test_nothing_is_no_bytes():
    assert SymbolWriter().finish() == b""
    assert len(SymbolReader(b"").code(None, TABLES, np.zeros(0, np.int32))) == 0


@given(st.integers(1, 32), st.lists(st.integers(0, 2**32 - 1), max_size=30))
@settings(max_examples=60, deadline=None)
def test_uniform_bits_round_trip_at_their_own_size(width, numbers):
    values = np.array(numbers, np.int64) & ((1 << width) - 1)
    writer = SymbolWriter()
    writer.code_bits(values, width, len(values))
    payload = writer.finish()
    assert len(payload) <= (width * len(values) + 7) // 8 + 1
    assert np.array_equal(SymbolReader(payload).code_bits(None, width, len(values)), values)


def test_numbers_beyond_their_bits_are_refused():
    for values in ([4], [-1]):
        with pytest.raises(ValueError, match="expected 1 numbers of 2 bits"):
            SymbolWriter().code_bits(np.array(values), 2, 1)


def test_golden_bytes():
    """Pinned: these bytes must decode for ever; a change here is a change of the format."""
    tables = Tables(
        np.array([TOTAL - 3, 1, 1, 1, TOTAL // 2, TOTAL // 4, TOTAL // 4]),
        np.array([4, 3]),
        np.array([-1, 0]),
        np.array([True, False]),
    )
    symbols, indices = [-1, 2, 1, 0, 70_000, -1, 0, 1, -9], [0, 1, 1, 1, 0, 0, 0, 0, 0]
    writer = SymbolWriter()
    writer.code(np.array(symbols), tables, np.array(indices))
    payload = writer.finish()
    assert payload.hex() == "fffffcfffd010004ff0001ffe8002d5f95ca"
    assert SymbolReader(payload).code(None, tables, np.array(indices)).tolist() == symbols


def test_a_plain_range_decoder_finds_the_same_symbols():
    for seed in range(5):
        symbols, indices = drawn(700, seed)
        symbols = np.clip(symbols, TABLES.lows[indices], TABLES.lows[indices] + TABLES.covers[indices] - 1)
        decoder = PlainDecoder(written((symbols, indices)))
        for table in range(len(TABLES)):  # table by table, as the writer groups them
            frequencies = TABLES.frequencies[TABLES.starts[table] : TABLES.starts[table + 1]].tolist()
            found = [decoder.symbol(frequencies) + int(TABLES.lows[table]) for _ in range((indices == table).sum())]
            assert found == symbols[indices == table].tolist()


@given(st.binary(max_size=60), st.integers(0, 200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_symbols_or_a_format_error(payload, count):
    reader = SymbolReader(payload)
    indices = np.arange(count) % len(TABLES)
    try:
        result = reader.code(None, TABLES, indices)
    except FormatError:
        return
    assert result.shape == (count,) and result.dtype == np.int32


def test_truncation_and_flipped_bits_give_symbols_or_a_format_error():
    symbols, indices = drawn(300)
    payload = written((symbols, indices))
    wrong = 0
    for place in range(len(payload)):
        flipped = bytearray(payload)
        flipped[place] ^= 1 << place % 8
        for damaged in (payload[:place], bytes(flipped)):
            try:
                wrong += not np.array_equal(SymbolReader(damaged).code(None, TABLES, indices), symbols)
            except FormatError:
                wrong += 1
    assert wrong > 1.9 * len(payload)


def test_an_escape_beyond_32_bits_is_a_format_error():
    def escaping(low):
        return Tables(np.array([1, TOTAL - 1]), np.array([2]), np.array([low]), np.array([True]))

    writer = SymbolWriter()
    writer.code(np.array([2**31 - 1]), escaping(0), np.array([0]))
    with pytest.raises(FormatError, match="32 bits"):
        SymbolReader(writer.finish()).code(None, escaping(2**31 - 1), np.array([0]))


def test_symbols_outside_a_table_without_escape_are_refused():
    tables = from_probabilities([np.array([0.5, 0.5])], [0], escape=False)
    with pytest.raises(ValueError, match="outside its table"):
        SymbolWriter().code(np.array([2]), tables, np.array([0]))


@pytest.mark.parametrize("symbols", [np.array([2**31]), np.array([-(2**31) - 1]), np.array([0.5]), np.array([[1]])])
def test_symbols_that_are_not_32_bit_numbers_in_a_row_are_refused(symbols):
    with pytest.raises(ValueError, match="outside 32 bits|symbols float64|symbols int64 \\[1, 1\\]"):
        SymbolWriter().code(symbols, TABLES, np.array([0]))
