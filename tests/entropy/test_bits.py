"""Bits as bytes: any of them come back, at about what they should cost."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lvc.entropy.bits import CERTAIN, MOST_BYTES, BitCoder, BitCounter, BitReader, BitWriter, code_bits

DECISIONS = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from([1, 2, CERTAIN // 2, CERTAIN - 2, CERTAIN - 1]) | st.integers(1, CERTAIN - 1)
    ),
    max_size=300,
)


def code(coder: BitCoder, chances, bits=None) -> np.ndarray:
    found = np.zeros(len(chances), np.int64) if bits is None else np.array(bits, np.int64)
    coder.make_room(len(chances))
    assert code_bits(coder=coder.state, probabilities=np.asarray(chances, np.int64), values=found) == 0
    return found


def written(bits, chances) -> bytes:
    writer = BitWriter()
    assert np.array_equal(code(writer, chances, bits), bits)
    return writer.finish()


def drawn(count: int, *, seed: int = 0, surest: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Bits that are as likely as their chances say, from even ones to very sure ones."""
    generator = np.random.default_rng(seed)
    chances = np.clip(
        np.rint(CERTAIN / (1 + np.exp(generator.uniform(-surest, surest, count)))), 1, CERTAIN - 1
    ).astype(np.int64)
    return (generator.random(count) * CERTAIN < chances).astype(np.int64), chances


def ideal_bytes(bits, chances) -> float:
    return sum(-math.log2((chance if bit else CERTAIN - chance) / CERTAIN) for bit, chance in zip(bits, chances)) / 8


@settings(max_examples=200, deadline=None)
@given(DECISIONS)
@example([(1, 1)] * 40)  # the least likely each time: four bytes with each
@example([(0, CERTAIN - 1), (1, 1)] * 40)
def test_any_decisions_come_back(decisions):
    bits, chances = [bit for bit, _ in decisions], [chance for _, chance in decisions]
    reader = BitReader(written(bits, chances))
    assert code(reader, chances).tolist() == bits


@pytest.mark.parametrize("surest", [1.0, 4.0, 12.0])
def test_bytes_are_within_two_percent_of_the_ideal(surest):
    bits, chances = drawn(40_000, surest=surest)
    size, ideal = len(written(bits, chances)), ideal_bytes(bits, chances)
    # 16 of the interval's 32 bits are all that is sure to be left of it before more move in;
    # and the end of the fraction.
    assert 0.999 * ideal - 1 <= size <= 1.02 * ideal + 5


def test_many_short_streams_waste_about_a_byte():
    waste = []
    for seed in range(300):
        bits, chances = drawn(1 + seed % 60, seed=seed, surest=3.0)
        waste.append(len(written(bits, chances)) - ideal_bytes(bits, chances))
    assert np.mean(waste) < 1  # 0.4 when written


def test_sure_decisions_cost_next_to_nothing():
    assert len(written(np.ones(60_000, np.int64), np.full(60_000, CERTAIN - 1))) <= 60_000 / CERTAIN / math.log(2) + 1


def test_what_was_spent_is_what_the_chances_say_for_writer_reader_and_counter():
    bits, chances = drawn(5_000)
    writer, counter = BitWriter(), BitCounter()
    code(writer, chances, bits)
    assert np.array_equal(code(counter, chances, bits), bits)
    reader, plain = BitReader(writer.finish(), measuring=True), BitReader(writer.finish())
    code(reader, chances), code(plain, chances)
    assert plain.bits == 0
    # Floats summed in the same order.
    assert writer.bits == reader.bits == counter.bits == pytest.approx(8 * ideal_bytes(bits, chances), rel=1e-9)
    assert reader.reads and plain.reads and not writer.reads and not counter.reads


def test_a_counter_needs_no_room():
    counter = BitCounter()
    counter.make_room(1 << 40)
    assert counter.data.nbytes == 0 and code(counter, [1] * 1000, [1] * 1000).all()
    assert counter.bits == 16_000


def test_a_reader_past_its_end_goes_on_with_zeros():
    bits, chances = drawn(200)
    payload = written(bits, chances)
    more = np.full(500, CERTAIN // 3)
    one, other = BitReader(payload), BitReader(payload + bytes(300))
    assert np.array_equal(code(one, chances), code(other, chances))
    assert np.array_equal(code(one, more), code(other, more))
    # Zeros alone lie at the lower end of each interval, which is the one of a yes.
    assert code(BitReader(b""), more).all()


@pytest.mark.parametrize("payload", [b"", b"\0", b"\xff", bytes(range(256))], ids=["empty", "zero", "ones", "all"])
def test_any_bytes_are_decisions_that_code_to_the_same_again(payload):
    _, chances = drawn(300)
    found = code(BitReader(payload), chances)
    assert set(found.tolist()) <= {0, 1}
    assert np.array_equal(code(BitReader(written(found, chances)), chances), found)


def test_room_is_made_for_the_dearest_decisions():
    writer = BitWriter()
    bits = np.tile([1, 0], 3_000)
    chances = np.where(bits, 1, CERTAIN - 1)
    for start in range(0, len(bits), 1_000):
        writer.make_room(1_000)
        assert len(writer.data) >= writer.state.position + 1_000 * MOST_BYTES
        code(writer, chances[start : start + 1_000], bits[start : start + 1_000])
    payload = writer.finish()
    # 16 bits each, but for what rounding of intervals takes
    assert len(payload) == pytest.approx(2 * len(bits), rel=0.01)
    assert np.array_equal(code(BitReader(payload), chances), bits)


def test_room_that_is_there_is_left_alone():
    writer = BitWriter()
    data = writer.data
    writer.make_room(100)
    assert writer.data is data


def test_the_end_is_as_short_as_it_can_be():
    # Half of the interval is left: below it no byte is needed, above it one.
    assert written([1], [CERTAIN // 2]) == b""
    assert written([0], [CERTAIN // 2]) == b"\x80"
    for seed in range(100):
        bits, chances = drawn(1 + seed, seed=seed, surest=2.0)
        payload = written(bits, chances)
        assert not payload.endswith(b"\0"), "zeros need not be written"
        if payload:
            shorter = payload[:-1]
            candidates = (
                [shorter]
                if not shorter
                else [shorter, (int.from_bytes(shorter, "big") + 1).to_bytes(len(payload), "big")[1:]]
            )
            assert not any(np.array_equal(code(BitReader(one), chances), bits) for one in candidates)


def test_a_writer_that_was_told_nothing_gives_no_bytes():
    assert BitWriter().finish() == b""


def test_finishing_twice_gives_the_same():
    bits, chances = drawn(50)
    writer = BitWriter()
    code(writer, chances, bits)
    assert writer.finish() == writer.finish()


def test_bytes_for_which_there_is_no_room_are_missed_and_never_written_elsewhere():
    writer = BitWriter()
    room = len(writer.data)
    values = np.tile([1, 0], room)
    code_bits(coder=writer.state, probabilities=np.where(values, 1, CERTAIN - 1), values=values)
    assert writer.state.position > room == len(writer.data)
    with pytest.raises(AssertionError, match="lost"):
        writer.finish()


@pytest.mark.parametrize("probability", [0, CERTAIN, -1, 1 << 40])
def test_what_is_no_probability_is_refused(probability):
    assert code_bits(coder=BitWriter().state, probabilities=np.array([probability]), values=np.array([1])) == -1


class PlainCoder:
    """The same coder in whole numbers of Python: what C is compared with."""

    def __init__(self, payload: bytes | None = None):
        self.low, self.high, self.written, self.payload = 0, 0xFFFFFFFF, bytearray(), payload
        if payload is not None:
            self.payload = payload + bytes(4)
            self.value, self.place = int.from_bytes(self.payload[:4], "big"), 4

    def code(self, bit: int, one: int) -> int:
        middle = self.low + (self.high - self.low) * one // CERTAIN
        if self.payload is not None:
            bit = int(self.value <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            if self.payload is None:
                self.written.append(self.high >> 24)
            else:
                self.value = (
                    self.value << 8 | (self.payload[self.place] if self.place < len(self.payload) else 0)
                ) & 0xFFFFFFFF
                self.place += 1
            self.low, self.high = self.low << 8 & 0xFFFFFFFF, (self.high << 8 | 0xFF) & 0xFFFFFFFF
        return bit


@settings(max_examples=200, deadline=None)
@given(DECISIONS, st.binary(max_size=60))
def test_the_coder_is_the_plain_one(decisions, payload):
    bits, chances = [bit for bit, _ in decisions], [chance for _, chance in decisions]
    plain, writer = PlainCoder(), BitWriter()
    code(writer, chances, bits)
    for bit, chance in decisions:
        plain.code(bit, chance)
    assert (writer.state.low, writer.state.high, writer.data[: writer.state.position].tobytes()) == (
        plain.low,
        plain.high,
        bytes(plain.written),
    )
    plain, reader = PlainCoder(payload), BitReader(payload)
    assert code(reader, chances).tolist() == [plain.code(0, chance) for chance in chances]
    assert (reader.state.low, reader.state.high, reader.state.value, reader.state.position) == (
        plain.low,
        plain.high,
        plain.value,
        plain.place,
    )
