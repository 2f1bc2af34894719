"""`lvc storyboard` and lvc.storyboard: real pictures of real files, looked at pixel by pixel."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

import lvc as library
from lvc.container.reader import ContainerReader
from lvc.errors import FormatError, OptionError, OutputError
from lvc.frames import Geometry
from lvc.reading.contact_sheet import SheetLayout


def tile(path, layout, place) -> np.ndarray:
    """uint8 [H, W, 3]."""
    left, top = layout.place(place)
    return np.asarray(Image.open(path).convert("RGB"))[top : top + layout.tile_height, left : left + layout.tile_width]


def test_a_sheet_shows_the_frames_themselves(lvc, coded, tiny_model):
    shown = lvc("storyboard", coded, "-o", "sheet.png", "--columns", 4, "--rows", 2, "--model", tiny_model)
    assert (shown.code, shown.out) == (0, "") and shown.err[-1] == "sheet.png: 8 frames"
    layout = SheetLayout.of(Geometry(48, 32), columns=4, rows=2)
    assert Image.open("sheet.png").size == (layout.width, layout.height)
    with library.open(coded, model=tiny_model) as reader:
        for place, number in enumerate([0, 4, 8, 12, 17, 21, 25, 29]):
            expected = reader[number].permute(1, 2, 0).numpy()
            # Batches of another size may sum floats in another order: one level.
            assert np.abs(tile("sheet.png", layout, place).astype(int) - expected).max() <= 1


def test_each_frame_has_its_time_and_there_is_a_head(coded, tiny_model):
    library.storyboard(coded, "sheet.png", columns=2, rows=1, width=500, model=tiny_model)
    layout = SheetLayout.of(Geometry(48, 32), columns=2, rows=1, width=500)
    sheet = np.asarray(Image.open("sheet.png"))
    captions = []
    for place in range(2):
        left, top = layout.place(place)
        captions.append(sheet[top + layout.tile_height : top + layout.tile_height + 20, left : left + 90])
    assert all(caption.max() > 200 for caption in captions) and (captions[0] != captions[1]).any()
    assert sheet[: layout.head_height].max() > 200


def test_keyframes_and_jpeg(coded, tiny_model):
    assert library.storyboard(coded, "keys.jpg", count=9, columns=3, keyframes_only=True, model=tiny_model) == 4
    picture = Image.open("keys.jpg")
    layout = SheetLayout.of(Geometry(48, 32), columns=3, rows=2)
    assert picture.format == "JPEG" and picture.size == (layout.width, layout.height)
    with library.open(coded, model=tiny_model) as reader:
        for place, number in enumerate([0, 8, 16, 24]):
            difference = tile("keys.jpg", layout, place).astype(int) - reader[number].permute(1, 2, 0).numpy()
            assert (difference**2).mean() < 60  # about 30 dB: JPEG of hard edges, and a neighbour's would be below 20


def test_a_file_of_few_frames_makes_a_small_sheet(coded, tiny_model):
    assert library.storyboard(coded, "all.png", count=500, columns=6, model=tiny_model) == 30
    assert Image.open("all.png").size[1] == SheetLayout.of(Geometry(48, 32), columns=6, rows=5).height


def test_a_damaged_group_stays_empty_and_the_exit_code_says_so(lvc, coded, tiny_model):
    with ContainerReader(coded) as container:
        offset = container.index[1].offset
    data = bytearray(coded.read_bytes())
    data[offset + 20] ^= 1
    coded.write_bytes(data)
    shown = lvc("storyboard", coded, "-o", "sheet.png", "--columns", 6, "--rows", 5, "--model", tiny_model, "-q")
    assert shown.code == 3 and len(shown.err) == 1 and "frames 8-15" in shown.err[0]
    layout = SheetLayout.of(Geometry(48, 32), columns=6, rows=5)
    flat = [len(np.unique(tile("sheet.png", layout, place).reshape(-1, 3), axis=0)) == 2 for place in range(30)]
    assert flat == [8 <= place < 16 for place in range(30)]
    with pytest.raises(FormatError, match="frames 8-15"):
        library.storyboard(coded, "other.png", count=30, model=tiny_model)
    with pytest.raises(FormatError, match="not one of the 2 chosen frames"):
        library.storyboard(one_group(coded), "other.png", count=2, model=tiny_model, on_damage=lambda _one: None)


def one_group(coded):
    """The damaged group of a file alone, with the index of a whole file."""
    from lvc.container import layout

    with ContainerReader(coded) as container:
        entry, start = container.index[1], container.header_bytes
    data = coded.read_bytes()
    record = data[entry.offset : entry.offset + entry.byte_size]
    index = layout.encode_index([layout.IndexEntry(start, entry.byte_size, 0, entry.frame_count, entry.first_pts)])
    path = coded.with_name("one.lvc")
    end = start + len(record)
    path.write_bytes(data[:start] + record + index + layout.encode_trailer(index_offset=end, index_bytes=len(index)))
    return path


def test_nothing_is_lost_and_nothing_half_written(lvc, coded, tiny_model):
    coded.with_name("sheet.png").write_text("mine")
    command = ("storyboard", coded, "-o", "sheet.png", "--model", tiny_model)
    shown = lvc(*command)
    assert shown.code == 1 and shown.err == ["lvc storyboard: sheet.png: exists already; overwrite it with -y"]
    assert lvc(*command, "-n").code == 0
    assert coded.with_name("sheet.png").read_text() == "mine"
    assert lvc(*command, "-y", "-q").code == 0 and Image.open("sheet.png").format == "PNG"
    with pytest.raises(OutputError, match="no folder"):
        library.storyboard(coded, "none/sheet.png", model=tiny_model)
    assert not list(coded.parent.glob("*.part"))


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"columns": 0}, "columns is a whole number"),
        ({"rows": -1}, "rows is a whole number"),
        ({"count": True}, "count is a whole number"),
        ({"rows": 2, "count": 5}, "give one of them"),
        ({"width": 60}, "do not fit into a width of 60"),
        ({"width": 200_000}, "a smaller width"),
    ],
)
def test_options_that_make_no_sense(coded, tiny_model, options, reason):
    with pytest.raises(OptionError, match=reason):
        library.storyboard(coded, "sheet.png", model=tiny_model, **options)


def test_an_unknown_suffix_is_refused_before_the_file_is_read():
    with pytest.raises(OptionError, match=r"ends in \.png, \.jpg"):
        library.storyboard("missing.lvc", "sheet.gif")


def test_memory_is_that_of_the_sheet(coded, tiny_model):
    library.storyboard(coded, "warm.png", count=1, model=tiny_model)
    tracemalloc.start()
    try:
        library.storyboard(coded, "sheet.png", count=30, model=tiny_model)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20  # latents of one group of eight, one frame and its tile; the sheet itself is Pillow's
