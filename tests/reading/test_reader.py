"""Files of real bytes read back: by number, slice, time and in any order, in this process and in others."""

import io
import multiprocessing
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import lvc
from lvc.codecs.neural.codec import NeuralCodec
from lvc.codecs.palette.bitstream import PaletteFrames
from lvc.codecs.temporal.codec import TemporalCodec
from lvc.frames import FrameBatch, Geometry

SMALL = Geometry(width=40, height=32)
MILLISECOND = Fraction(1, 1000)
COUNT = 23
KEYINT = 8
PTS = tuple(100 + 333 * number + (number % 3) for number in range(COUNT))


@pytest.fixture(scope="module", params=["temporal", "temporal-palette", "conv4"])
def coded(request, tmp_path_factory, save_small):
    """(file, weights) of one of each kind: predicted frames, and frames each coded alone."""
    folder = tmp_path_factory.mktemp("reader")
    weights = save_small(folder / "small.safetensors", request.param)
    frames = np.random.default_rng(5).integers(0, 256, (COUNT, SMALL.height, SMALL.width, 3), np.uint8)
    path = folder / "game.lvc"
    with lvc.Writer(
        path, geometry=SMALL, time_base=MILLISECOND, frame_duration=333, model=weights, keyint=KEYINT
    ) as writer:
        writer.write(FrameBatch(frames[:10], PTS[:10], MILLISECOND))
        writer.write(FrameBatch(frames[10:], PTS[10:], MILLISECOND))
    return path, weights


@pytest.fixture
def reader(coded):
    with lvc.open(coded[0], model=coded[1]) as opened:
        yield opened


@pytest.fixture
def everything(reader):
    return torch.stack(list(reader))


def test_length_shape_and_exact_timestamps(reader, everything):
    assert len(reader) == COUNT
    assert everything.shape == (COUNT, 3, SMALL.height, SMALL.width) and everything.dtype == torch.uint8
    assert reader.pts == PTS


# Any way to ask for a frame gives the same pixels: within one level, since batches of another size may sum floats in
# another order.
LEVEL = 1


def same(one, other) -> bool:
    return one.shape == other.shape and (one.int() - other.int()).abs().max() <= LEVEL


@pytest.mark.parametrize(
    "key", [slice(None), slice(3, 19), slice(None, None, 5), slice(20, 2, -3), slice(-4, None), slice(50, 60)], ids=str
)
def test_slices_are_those_of_a_list(reader, everything, key):
    found = reader[key]
    wanted = list(range(COUNT))[key]
    assert same(found, everything[wanted]) if wanted else len(found) == 0


def test_numbers_in_any_order_and_from_the_end(reader, everything):
    order = [22, 0, 9, 9, 1, -1, 15]
    assert same(reader.get_frames_at(order).data, everything[order])
    assert same(reader[-3], everything[-3])
    assert same(reader[np.int64(4)], everything[4])


@pytest.mark.parametrize("index", [COUNT, -COUNT - 1, 10**9])
def test_out_of_range_is_an_index_error(reader, index):
    with pytest.raises(IndexError):
        reader[index]
    with pytest.raises(IndexError):
        reader.get_frames_at([0, index])


@pytest.mark.parametrize("key", ["first", 1.0, None, [1]])
def test_other_keys_are_type_errors(reader, key):
    with pytest.raises(TypeError):
        reader[key]


def test_by_time(reader, everything):
    assert same(reader.get_frame_played_at(PTS[7] / 1000).data, everything[7])
    assert same(reader.get_frame_played_at((PTS[8] - 1) / 1000).data, everything[7])
    found = reader.get_frames_played_at([PTS[20] / 1000, PTS[2] / 1000])
    assert same(found.data, everything[[20, 2]])
    assert found.pts_seconds.tolist() == [PTS[20] / 1000, PTS[2] / 1000]
    for seconds in (0.0, (PTS[-1] + 333) / 1000):
        with pytest.raises(IndexError):
            reader.get_frame_played_at(seconds)


def test_frames_carry_times_and_durations(reader):
    frame = reader.get_frame_at(3)
    assert frame.pts_seconds == PTS[3] / 1000
    assert frame.duration_seconds == pytest.approx((PTS[4] - PTS[3]) / 1000)
    assert reader.get_frame_at(-1).duration_seconds == pytest.approx(0.333)
    assert len(reader.get_frames_in_range(2, 12, 4)) == 3


def test_metadata_needs_no_weights(coded):
    with lvc.open(coded[0]) as opened:
        metadata = opened.metadata
    assert (metadata.num_frames, metadata.width, metadata.height, metadata.keyint) == (COUNT, 40, 32, KEYINT)
    assert metadata.begin_stream_seconds == pytest.approx(0.1)
    assert metadata.end_stream_seconds == pytest.approx((PTS[-1] + 333) / 1000)
    assert metadata.file_bytes == coded[0].stat().st_size


def test_missing_weights_are_named_with_their_hash(coded):
    with lvc.open(coded[0]) as opened, pytest.raises(lvc.ModelError, match=r"small.*sha256.*--model"):
        opened[0]


def test_bytes_and_file_objects(coded, everything):
    for source in (coded[0].read_bytes(), io.BytesIO(coded[0].read_bytes())):
        with lvc.open(source, model=coded[1]) as opened:
            assert same(opened[5], everything[5])


def test_dimension_order(coded, everything):
    with lvc.open(coded[0], model=coded[1], dimension_order="NHWC") as opened:
        assert same(opened[5], everything[5].permute(1, 2, 0))
    with pytest.raises(lvc.OptionError, match="NCHW"):
        lvc.open(coded[0], dimension_order="CHWN")


def read_one(reader, number, queue):
    queue.put(reader[number].numpy())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_reads_through_the_same_reader(coded, everything, method):
    context = multiprocessing.get_context(method)
    with lvc.open(coded[0], model=coded[1]) as opened:
        if method == "spawn":
            opened[0]  # loaded weights must not travel; after a fork torch's threads would be another matter
        queue = context.Queue()
        workers = [context.Process(target=read_one, args=(opened, number, queue)) for number in (4, 17)]
        for worker in workers:
            worker.start()
        found = [torch.from_numpy(queue.get(timeout=60)) for _ in workers]
        for worker in workers:
            worker.join()
        assert same(opened[4], everything[4])
    assert all(any(same(one, everything[number]) for one in found) for number in (4, 17))


def test_pickles_but_not_over_a_file_object(coded, everything):
    with lvc.open(coded[0], model=coded[1]) as opened, pickle.loads(pickle.dumps(opened)) as copied:
        assert same(copied[5], everything[5])
    with pytest.raises(TypeError, match="file object"):
        pickle.dumps(lvc.open(io.BytesIO(coded[0].read_bytes())))


def test_frame_bytes_add_up(reader):
    payload = sum(group.payload_bytes for group in reader.container.groups())
    assert reader.mean_frame_bytes.sum() == pytest.approx(payload)
    assert reader.frame_bytes.sum() == pytest.approx(payload)
    assert len(reader.frame_bytes) == len(reader.frame_types) == COUNT


def test_a_file_of_other_symbols_is_reported_not_shown(coded, tmp_path):
    """A digest that does not fit stands for wrong arithmetic: the bytes are whole, the symbols are not."""
    from lvc.container.reader import ContainerReader
    from lvc.container.writer import ContainerWriter

    path = tmp_path / "other.lvc"
    with ContainerReader(coded[0]) as source, open(path, "wb") as file:
        writer = ContainerWriter(file, source.header)
        for group in source.groups():
            writer.write_group(replace(group, digest=group.digest ^ 1))
        writer.finish()
    with lvc.open(path, model=coded[1]) as opened, pytest.raises(lvc.FormatError, match="other symbols"):
        opened[:]


def test_writer_refuses_what_does_not_fit(coded, tmp_path):
    frames = np.zeros((1, SMALL.height, SMALL.width, 3), np.uint8)

    def writer(**more):
        return lvc.Writer(tmp_path / "new.lvc", geometry=SMALL, time_base=MILLISECOND, model=coded[1], **more)

    for keyint in (0, 5000, 2.5):
        with pytest.raises(lvc.OptionError, match="keyint"):
            writer(keyint=keyint)
    with pytest.raises(lvc.OptionError, match="40x32"), writer(overwrite=True) as opened:
        opened.write(FrameBatch(frames[:, :16], (0,), MILLISECOND))
    with pytest.raises(lvc.OptionError, match="1/30"), writer(overwrite=True) as opened:
        opened.write(FrameBatch(frames, (0,), Fraction(1, 30)))
    with pytest.raises(lvc.OptionError, match="increase"), writer(overwrite=True) as opened:
        opened.write(FrameBatch(np.repeat(frames, 2, axis=0), (5, 5), MILLISECOND))
        opened.close()
    assert not (tmp_path / "new.lvc").exists()


# What is kept between calls


@pytest.fixture
def decoded(monkeypatch):
    """Counts of frames whose latents were decoded, one entry for each run of them."""
    runs = []
    for codec in (NeuralCodec, TemporalCodec):

        def counted(self, coding, symbols, count, coder, plans=(), code=codec.code_run):
            runs.append(count)
            return code(self, coding, symbols, count, coder, plans)

        monkeypatch.setattr(codec, "code_run", counted)

    read = PaletteFrames.read

    def counted_read(self, count, coder, shape):
        runs.append(count)
        return read(self, count, coder, shape)

    monkeypatch.setattr(PaletteFrames, "read", counted_read)
    return runs


def test_a_call_decodes_each_group_once_and_no_further_than_needed(coded, decoded, everything):
    with lvc.open(coded[0], model=coded[1]) as opened:
        decoded.clear()
        order = [20, 1, 9, 19, 3, 9]
        assert same(opened.get_frames_at(order).data, everything[order])
    assert sum(decoded) == 4 + 2 + 5


def test_later_calls_go_on_from_where_the_group_was_left(coded, decoded, everything):
    with lvc.open(coded[0], model=coded[1]) as opened:
        decoded.clear()
        for number in (2, 0, 5, 4, 7, 6):
            assert same(opened[number], everything[number])
    assert sum(decoded) == KEYINT


def test_groups_stay_in_the_cache_up_to_its_limit(coded, decoded, everything):
    def cost(cache_bytes):
        with lvc.open(coded[0], model=coded[1], cache_bytes=cache_bytes) as opened:
            decoded.clear()
            for number in (7, 15, 22, 7, 15, 22, 15, 7):
                assert same(opened[number], everything[number])
        return sum(decoded)

    with lvc.open(coded[0], model=coded[1]) as opened:
        opened[7]
        (group,) = opened._decoders
        group.pack()  # as groups in a cache are
    assert cost(1 << 30) == COUNT
    assert cost(0) == 8 * KEYINT - 2 * (3 * KEYINT - COUNT)
    assert cost(int(2.5 * group.nbytes)) == 2 * COUNT + KEYINT  # with two of three kept, only the second last is a hit


def test_cache_bytes_is_a_number_of_bytes(coded):
    for wrong in (-1, 1.5, True, "1M"):
        with pytest.raises(lvc.OptionError, match="cache_bytes"):
            lvc.open(coded[0], cache_bytes=wrong)


def test_damage_is_told_every_time_and_leaves_other_groups_alone(coded, everything):
    data = bytearray(coded[0].read_bytes())
    with lvc.open(coded[0]) as opened:
        entry = opened.container.index[1]
    data[entry.offset + entry.byte_size // 2] ^= 1
    without_index = data[: len(data) - 1]  # the scan for groups leaves out the damaged one
    for source in (data, without_index):
        with lvc.open(source, model=coded[1], cache_bytes=1 << 20) as opened:
            for _ in range(2):
                with pytest.raises(lvc.FormatError, match="frames 8-15"):
                    opened[9]
                assert same(opened.get_frame_at(7).data, everything[7])
                assert same(opened[16], everything[16])
            frames = iter(opened)
            assert all(same(next(frames), everything[number]) for number in range(KEYINT))
            with pytest.raises(lvc.FormatError, match="frames 8-15"):
                next(frames)


# Latents


def test_integer_latents_make_the_frames(coded, reader, everything):
    order = [17, 2, 2, -1]
    latents = reader.latents_at(order)
    assert latents.symbols.dtype == torch.int32 and latents.symbols.shape == (4, *reader.codec.latent_shape)
    assert latents.parameters.shape == (4, reader.codec.parameter_count) and latents.parameters.dtype == torch.float32
    assert latents.pts_seconds.tolist() == [PTS[number] / 1000 for number in order]
    assert (latents.geometry, latents.model, latents.crf) == (SMALL, "small", reader.metadata.crf)
    assert same(reader.synthesise(latents), everything[order])
    assert same(reader.synthesise(latents.symbols.long(), parameters=latents.parameters), everything[order])
    copied = pickle.loads(pickle.dumps(latents))
    with lvc.open(coded[0], model=coded[1], dimension_order="NHWC") as opened:
        assert same(opened.synthesise(copied), everything[order].permute(0, 2, 3, 1))
    assert len(reader.latents_at([])) == len(reader.synthesise(reader.latents_at([]))) == 0


def test_latents_of_something_else_are_refused(reader):
    latents = reader.latents_at([0, 1])
    with pytest.raises(lvc.ModelError, match="other.*sha256"):
        reader.synthesise(replace(latents, model="other", model_sha256="0" * 64))
    for wrong in (replace(latents, crf=63), replace(latents, geometry=Geometry(8, 8))):
        with pytest.raises(lvc.OptionError, match="crf"):
            reader.synthesise(wrong)
    for symbols in (latents.symbols.float(), latents.symbols[:, :, :1], latents.symbols[0]):
        with pytest.raises(lvc.OptionError, match="whole numbers"):
            reader.synthesise(symbols, parameters=latents.parameters)
    with pytest.raises(lvc.OptionError, match="parameters"):
        reader.synthesise(latents.symbols, parameters=torch.zeros(2, 7))


# Other processes


def read_error(reader, queue):
    try:
        reader.get_frame_played_at(1.0)
    except lvc.InputError as error:
        queue.put(str(error))


def test_an_open_file_is_not_shared_with_a_fork_but_bytes_are(coded, everything):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with open(coded[0], "rb") as file, lvc.open(file, model=coded[1]) as opened:
        worker = context.Process(target=read_error, args=(opened, queue))
        worker.start()
        assert "by its path" in queue.get(timeout=60)
        worker.join()
        assert same(opened[4], everything[4])
    with lvc.open(io.BytesIO(coded[0].read_bytes()), model=coded[1]) as opened:
        worker = context.Process(target=read_one, args=(opened, 4, queue))
        worker.start()
        assert same(torch.from_numpy(queue.get(timeout=60)), everything[4])
        worker.join()


def test_threads_may_share_a_reader(coded, everything):
    with lvc.open(coded[0], model=coded[1]) as opened, ThreadPoolExecutor(4) as threads:
        numbers = [number for _ in range(3) for number in range(COUNT)]
        for number, frame in zip(numbers, threads.map(opened.__getitem__, numbers)):
            assert same(frame, everything[number])


# What a process keeps


def test_files_of_the_same_weights_and_settings_load_them_once(coded, everything):
    with lvc.open(coded[0], model=coded[1]) as one, lvc.open(coded[0].read_bytes(), model=coded[1]) as other:
        assert one.codec is other.codec
        assert same(one[3], everything[3]) and same(other[3], everything[3])
    with lvc.open(coded[0], model=coded[1]) as later:
        assert later.codec is one.codec


def test_weights_are_looked_for_and_looked_at_each_time(coded, everything, tmp_path):
    weights = tmp_path / "small.safetensors"
    shutil.copy(coded[1], weights)
    with lvc.open(coded[0], model=weights) as opened:
        assert same(opened[3], everything[3])
    with lvc.open(coded[0]) as opened, pytest.raises(lvc.ModelError, match="--model"):
        opened[3]
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with lvc.open(coded[0], model=weights) as opened, pytest.raises(lvc.ModelError, match="sha256"):
        opened[3]
    weights.unlink()
    with lvc.open(coded[0], model=weights) as opened, pytest.raises(lvc.ModelError, match="no weights file"):
        opened[3]


def test_readers_that_share_a_codec_may_be_in_several_threads(coded, everything):
    def read(numbers):
        with lvc.open(coded[0], model=coded[1]) as opened:
            return opened.get_frames_at(numbers).data

    orders = [np.random.default_rng(seed).permutation(COUNT).tolist() for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for order, found in zip(orders, threads.map(read, orders), strict=True):
            assert same(found, everything[order])


def test_groups_of_colours_in_a_cache_take_what_changes(tmp_path, save_small):
    weights = save_small(tmp_path / "weights.safetensors", "temporal-palette")
    ground = np.random.default_rng(1).integers(0, 4, (32, 40, 1), np.uint8).repeat(3, axis=2) * 60
    with lvc.Writer(
        tmp_path / "game.lvc", fps=10, model=weights, keyint=32, geometry=lvc.Geometry(40, 32), crf=0
    ) as writer:
        for number in range(64):
            picture = ground.copy()
            picture[8:12, number % 36 : number % 36 + 4] = (250, 200, 10)
            writer.write(picture)
    with (
        lvc.open(tmp_path / "game.lvc", model=weights) as plain,
        lvc.open(tmp_path / "game.lvc", model=weights, cache_bytes=1 << 20) as cached,
    ):
        wanted = plain[:]
        assert (cached[:] == wanted).all()
        assert all((cached[number] == wanted[number]).all() for number in (40, 3, 63, 0, 41))
        # A frame of 1,280 pixels in 32, and some 32 that change in each of the others; 2 bytes and 1 for each.
        assert cached._decoders.total < 64 * 300
