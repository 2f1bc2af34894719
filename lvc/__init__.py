"""lvc, a learned compressor for gameplay.

    lvc.encode("game.mp4", "game.lvc", sampling=lvc.Sampling(every=10))
    reader = lvc.open("game.lvc")
    reader[17], reader[100:200:10], reader.get_frame_played_at(12.5)
    with lvc.Writer("run.lvc", fps=30) as writer:
        writer.write(frame)

Names are loaded when they are first used, so that reading a file needs neither FFmpeg nor a display.
"""

from importlib import import_module

from lvc.errors import DisplayError, FormatError, InputError, LvcError, ModelError, OptionError, OutputError

# public name: the module it lives in, and its name there
_PUBLIC = {
    "open": ("lvc.reading.reader", "Reader"),
    "Reader": ("lvc.reading.reader", "Reader"),
    "VideoDecoder": ("lvc.reading.reader", "Reader"),
    "Writer": ("lvc.writing.writer", "Writer"),
    "encode": ("lvc.encoding.encode", "encode"),
    "decode": ("lvc.reading.decoding", "decode"),
    "compare": ("lvc.reading.notebook", "compare"),
    "storyboard": ("lvc.reading.contact_sheet", "storyboard"),
    "Target": ("lvc.encoding.search", "Target"),
    "FrameBatch": ("lvc.frames", "FrameBatch"),
    "Geometry": ("lvc.frames", "Geometry"),
    "Sampling": ("lvc.video.sample", "Sampling"),
    "FrameDataset": ("lvc.reading.frame_dataset", "FrameDataset"),
    "Columns": ("lvc.reading.columns", "Columns"),
    "EpisodeSampler": ("lvc.reading.samplers", "EpisodeSampler"),
    "ShuffledFrames": ("lvc.reading.samplers", "ShuffledFrames"),
    "FrameStore": ("lvc.dataset.read", "FrameStore"),
}

__all__ = [
    "Columns",
    "DisplayError",
    "EpisodeSampler",
    "FormatError",
    "FrameBatch",
    "FrameDataset",
    "FrameStore",
    "Geometry",
    "InputError",
    "LvcError",
    "ModelError",
    "OptionError",
    "OutputError",
    "Reader",
    "Sampling",
    "ShuffledFrames",
    "Target",
    "VideoDecoder",
    "Writer",
    "compare",
    "decode",
    "encode",
    "open",
    "storyboard",
]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lvc' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)
