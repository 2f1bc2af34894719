"""The header of a container: what is needed to decode it, as canonical JSON under a CRC-32."""

import hashlib
import json
import math
import struct
import zlib
from dataclasses import dataclass, field, fields
from fractions import Fraction

from lvc.container.source import ByteSource
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry

# As in PNG: a byte that is no text, the name, CR LF and LF that betray a transfer as text, and the end-of-file of DOS.
MAGIC = b"\x89LVC\r\n\x1a\n"
VERSION, PACKED_VERSION = 1, 2  # the JSON as it is, and deflated
VERSIONS = VERSION, PACKED_VERSION
NO_WEIGHTS = hashlib.sha256().hexdigest()  # of no bytes: of the weights of a model that has none
PREFIX = struct.Struct("<8sHI")  # magic, version, bytes of JSON as they are stored
CRC = struct.Struct("<I")

MAX_HEADER_BYTES = 1 << 20
# What headers of game's own pixels are like: deflate refers to it, so that a short file does not pay for its keys.
USUAL = (
    b'{"crf":32,"encoder":"lvc '
    b'0.1.0","entropy":{"name":"mixing"},"frame_duration":5120,"grid":{"chroma":{"across":[-2,-2,4,4,86,86,48,48,-16],'
    b'"down":[-6,-29,44,3,113,99,32,13,-13],"stride":[2,2]},"luma":{"across":[256],"down":[256],"stride":[1,1]},"native":[160,210],"source":[960,720]},'
    b'"height":160,"keyint":64,"model":{"name":"arcade","sha256":"0123456789abcdef"},"quantiser":{"name":"round","step":1.0},'
    b'"source":{"every":10,"height":720,"name":".mp4","width":960},"time_base":[1,15360],"width":200}'
)
MAX_DEPTH = 32
MAX_GROUP_FRAMES = 4096
MAX_RATIONAL = (1 << 31) - 1  # as FFmpeg's time bases
MAX_TICKS = 1 << 50


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a `.lvc` file says about itself; validated when made, OptionError names the field that is wrong.

    width, height: pixels of a decoded frame, 1 to 16,384.
    time_base: seconds of one tick of the timestamps, exact; numerator and denominator below 2**31.
    frame_duration: ticks from one frame to the next at the nominal rate; also how long the last frame is shown.
    keyint: frames of a full group, 1 to 4,096.
    model: JSON object with at least "name" and "sha256" (of the weights, 64 lower-case hexadecimal digits; NO_WEIGHTS
    without any).
    quantiser, entropy: JSON objects with at least "name".
    source: JSON object about the recording and how it was sampled.
    encoder: the program that wrote the file.
    extra: keys that this version does not know; they are kept when a file is rewritten.
    """

    width: int
    height: int
    time_base: Fraction
    frame_duration: int
    keyint: int
    model: dict
    quantiser: dict
    entropy: dict
    source: dict = field(default_factory=dict)
    encoder: str = ""
    extra: dict = field(default_factory=dict)

    def __post_init__(self):
        Geometry(self.width, self.height)
        if isinstance(self.width, bool) or isinstance(self.height, bool):
            raise OptionError("width and height must be whole numbers")
        if not isinstance(self.time_base, Fraction) or not (
            1 <= self.time_base.numerator <= MAX_RATIONAL and self.time_base.denominator <= MAX_RATIONAL
        ):
            raise OptionError(f"time_base must be a positive fraction of numbers below 2**31, not {self.time_base!r}")
        _check_whole("frame_duration", self.frame_duration, 1, MAX_TICKS)
        _check_whole("keyint", self.keyint, 1, MAX_GROUP_FRAMES)
        if not isinstance(self.encoder, str):
            raise OptionError(f"encoder must be text, not {self.encoder!r}")
        _plain(self.encoder, "encoder")
        for name, required in (
            ("model", ("name", "sha256")),
            ("quantiser", ("name",)),
            ("entropy", ("name",)),
            ("source", ()),
            ("extra", ()),
        ):
            value = getattr(self, name)
            if not isinstance(value, dict):
                raise OptionError(f"{name} must be an object, not {value!r:.60}")
            for key in required:
                if not (isinstance(value.get(key), str) and value[key]):
                    raise OptionError(f"{name} must have {key!r}, a text that is not empty")
            object.__setattr__(self, name, _plain(value, name))  # a copy that nobody else can change
        digest = self.model["sha256"]
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise OptionError(f"model sha256 must be 64 lower-case hexadecimal digits, not {digest!r:.80}")
        known = {one.name for one in fields(self)} & set(self.extra)
        if known:
            raise OptionError(f"extra must not hold the header's own key {min(known)!r}")

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.width, self.height)

    def to_json(self) -> bytes:
        """Canonical JSON in UTF-8: keys in order of their code points, no spaces; at most 1 MiB."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "extra"}
        values["time_base"] = [self.time_base.numerator, self.time_base.denominator]
        text = json.dumps(values | self.extra, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        data = text.encode()
        if len(data) > MAX_HEADER_BYTES:
            raise OptionError(f"the header takes {len(data)} bytes; at most {MAX_HEADER_BYTES} fit")
        return data

    @classmethod
    def from_json(cls, data: bytes, *, offset: int = PREFIX.size) -> "Header":
        """Reads and checks the JSON; FormatError for duplicate keys, NaN, missing keys and wrong types."""
        try:
            values = json.loads(
                data.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite
            )
            if not isinstance(values, dict):
                raise OptionError("a JSON object was expected")
            own = {one.name for one in fields(cls)} - {"extra"}
            missing = sorted(own - set(values))
            if missing:
                raise OptionError(f"key {missing[0]!r} is missing")
            if "extra" in values:
                raise OptionError("key 'extra' is reserved")
            known = {key: values[key] for key in own}
            known["time_base"] = _rational(known["time_base"])
            return cls(**known, extra={key: value for key, value in values.items() if key not in own})
        except UnicodeDecodeError as error:
            raise FormatError("header: UTF-8 was expected", offset=offset + error.start) from error
        except json.JSONDecodeError as error:
            at = offset + len(error.doc[: error.pos].encode())
            raise FormatError(f"header: JSON was expected: {error.msg}", offset=at) from error
        except RecursionError as error:
            raise FormatError(f"header: JSON of at most {MAX_DEPTH} levels was expected", offset=offset) from error
        except (OptionError, ValueError) as error:  # ValueError: a number of thousands of digits
            raise FormatError(f"header: {error}", offset=offset) from error

    @classmethod
    def stored(cls, data: bytes, version: int) -> "Header":
        """Reads what a file of that version has in place of the JSON."""
        return cls.from_json(inflated(data) if version == PACKED_VERSION else data)

    def to_bytes(self) -> bytes:
        """The start of a file: magic, version, length, JSON, CRC-32 of all that. The JSON is deflated where it tells of
        a grid, or of a
        model without weights, which readers of the first version do not know."""
        data, version = self.to_json(), VERSION
        if "grid" in self.extra or self.model["sha256"] == NO_WEIGHTS:
            data, version = deflated(data), PACKED_VERSION
        head = PREFIX.pack(MAGIC, version, len(data)) + data
        return head + CRC.pack(zlib.crc32(head))


def read_header(source: ByteSource) -> tuple[Header, int]:
    """The header and the number of bytes it takes, which is where the first group begins."""
    start = source.read_at(0, min(PREFIX.size, source.size))
    if start[: len(MAGIC)] != MAGIC:
        if not start:
            raise FormatError("the file is empty; a .lvc file was expected", offset=0)
        if start.startswith((b"\x89LVC\n", b"\x89LVC\r\r", b"\x89LVC\r\x1a", b"\tLVC")):
            raise FormatError("a .lvc file that some transfer changed as if it were text; copy it as binary", offset=0)
        raise FormatError(f"no .lvc file: it starts with {start[:8].hex(' ')}, not {MAGIC.hex(' ')}", offset=0)
    if len(start) < PREFIX.size:
        raise FormatError(f"version and length of the header were expected, the file has {len(start)} bytes", offset=8)
    _, version, length = PREFIX.unpack(start)
    if version not in VERSIONS:
        raise FormatError(
            f"format version {version}; this program reads versions {', '.join(map(str, VERSIONS))}", offset=8
        )
    if length > MAX_HEADER_BYTES:
        raise FormatError(f"the header's length must be at most {MAX_HEADER_BYTES}, not {length}", offset=10)
    end = PREFIX.size + length
    if end + CRC.size > source.size:
        raise FormatError(
            f"a header of {length} bytes and its CRC-32 were expected, the file has {source.size} bytes in all",
            offset=10,
        )
    whole = source.read_at(0, end + CRC.size)
    (expected,) = CRC.unpack(whole[end:])
    found = zlib.crc32(whole[:end])
    if found != expected:
        raise FormatError(f"header: CRC-32 {expected:08x} was expected, its bytes give {found:08x}", offset=end)
    return Header.stored(whole[PREFIX.size : end], version), len(whole)


def deflated(data: bytes) -> bytes:
    """Raw deflate (RFC 1951) after the preset dictionary USUAL."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=USUAL)
    return packer.compress(data) + packer.flush()


def inflated(data: bytes) -> bytes:
    """What `deflated` was given; FormatError for anything else, or for more than 1 MiB."""
    unpacker = zlib.decompressobj(-15, zdict=USUAL)
    try:
        text = unpacker.decompress(data, MAX_HEADER_BYTES + 1)
    except zlib.error as error:
        raise FormatError(f"header: deflated JSON was expected: {error}", offset=PREFIX.size) from error
    if len(text) > MAX_HEADER_BYTES or not unpacker.eof or unpacker.unused_data:
        raise FormatError(
            f"header: deflated JSON of at most {MAX_HEADER_BYTES} bytes, and nothing after it, was expected",
            offset=PREFIX.size,
        )
    return text


def _check_whole(name: str, value, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise OptionError(f"{name} must be a whole number from {low} to {high}, not {value!r:.60}")


def _plain(value, path: str, depth: int = 0):
    """A copy made of JSON's own types; OptionError names the path of what other readers could not read."""
    if depth > MAX_DEPTH:
        raise OptionError(f"{path[:60]}: at most {MAX_DEPTH} levels were expected")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise OptionError(f"{path}: keys must be text, not {key!r:.60}")
            _plain(key, path, depth)
        return {key: _plain(one, f"{path}.{key}", depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, f"{path}[]", depth + 1) for one in value]
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise OptionError(f"{path[:60]!a}: text in Unicode was expected, not half a surrogate pair") from error
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise OptionError(f"{path[:60]}: a JSON value was expected, not {value!r:.60}")


def _rational(value) -> Fraction:
    if not (isinstance(value, list) and len(value) == 2):
        raise OptionError(f"time_base must be [numerator, denominator], not {value!r:.60}")
    for part in value:
        _check_whole("time_base", part, 1, MAX_RATIONAL)
    return Fraction(*value)


def _no_duplicates(pairs: list) -> dict:
    found = {}
    for key, value in pairs:
        if key in found:
            raise OptionError(f"key {key!r:.60} comes twice")
        found[key] = value
    return found


def _no_constant(text: str):
    raise OptionError(f"a number was expected, not {text}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise OptionError(f"a finite number was expected, not {text:.60}")
    return value
