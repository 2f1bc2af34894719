"""Where a container's bytes come from: a path, bytes in memory, or a file object that can seek."""

import io
import os
import stat
import threading
from pathlib import Path

from lvc.errors import FormatError, InputError


class ByteSource:
    """Bytes read at any place, from several threads and, for a path, after a fork or in another process.

    source: a path (str or Path), bytes-like, or a binary file object that can seek.
    size: how many bytes there were when it was opened; a file that is still written may have grown since.
    Raises InputError where the file is missing, is no regular file or cannot be read.
    """

    def __init__(self, source):
        self._lock = threading.Lock()
        self._path = None
        self._file = None
        self._data = None
        self._closed = False
        if isinstance(source, str | os.PathLike):
            self._path = Path(source)
            self.name = str(source)
            self.size = self._open()
        elif isinstance(source, bytes | bytearray | memoryview):
            self._data = bytes(source)
            self.name = "bytes"
            self.size = len(self._data)
        elif isinstance(source, io.TextIOBase):
            raise TypeError("a binary file object was expected, not one for text: open it with 'rb'")
        elif hasattr(source, "seek") and hasattr(source, "read"):
            self._file = source
            self.name = str(getattr(source, "name", "file object"))
            try:
                self.size = _end_of(source)
            except (OSError, ValueError) as error:
                raise InputError(f"{self.name}: a file that can seek was expected: {error}") from error
        else:
            raise TypeError(f"a path, bytes or a binary file object was expected, not {type(source).__name__}")

    def _open(self) -> int:
        try:
            # A named pipe would block in open(): look first.
            if not stat.S_ISREG(os.stat(self._path).st_mode):
                raise InputError(f"{self.name}: a regular file was expected")
            self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115  closed by close()
            return os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # a NUL in the name
            raise InputError(f"{self.name!r}: cannot be read: {error}") from error

    def refresh(self) -> bool:
        """Takes note of the size that the file has now; whether it is another one."""
        self._check_open()
        before = self.size
        try:
            if self._path is not None:
                self.size = os.fstat(self._file.fileno()).st_size
            elif self._file is not None:
                with self._lock:
                    self.size = _end_of(self._file)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
        return self.size != before

    def read_at(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`; FormatError if the file ends before, InputError after `close`."""
        self._check_open()
        if offset + count > self.size:
            raise FormatError(f"{count} bytes were expected, the file ends at byte {self.size}", offset=offset)
        if self._data is not None:
            return self._data[offset : offset + count]
        parts, wanted = [], count
        try:
            while wanted:
                part = self._read_some(offset + count - wanted, wanted)
                if not part:
                    raise FormatError(f"{count} bytes were expected, the file was cut while it was read", offset=offset)
                parts.append(part)
                wanted -= len(part)
        except (OSError, ValueError) as error:  # ValueError: a file object that its owner has closed
            raise InputError(f"{self.name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_some(self, offset: int, count: int) -> bytes:
        if self._path is not None and hasattr(os, "pread"):
            # Forked processes share one file position; pread does not touch it.
            return os.pread(self._file.fileno(), count, offset)
        with self._lock:
            self._file.seek(offset, os.SEEK_SET)
            part = self._file.read(count)
        if not isinstance(part, bytes | bytearray | memoryview):
            raise TypeError(
                f"{self.name}: a file object whose read() gives bytes was expected, not {type(part).__name__}"
            )
        return bytes(part)

    def _check_open(self) -> None:
        if self._closed:
            raise InputError(f"{self.name}: is closed")

    def located(self, error: FormatError, where: str = "") -> FormatError:
        """The same error with the file's name, and `where` in it, in front."""
        named = FormatError(": ".join(part for part in (self.name, where, str(error)) if part))
        named.offset = error.offset
        return named

    def close(self) -> None:
        """Closes a file that was opened here; a file object stays its owner's. Nothing is read any more."""
        self._closed = True
        if self._path is not None and self._file is not None:
            self._file.close()

    def __getstate__(self) -> dict:
        if self._path is None and self._data is None:
            raise TypeError("a reader of a file object cannot be pickled; open it by path or bytes")
        return {"path": self._path, "name": self.name, "size": self.size, "data": self._data}

    def __setstate__(self, state: dict) -> None:
        self._lock = threading.Lock()
        self._path, self._data, self._file = state["path"], state["data"], None
        self.name, self.size, self._closed = state["name"], state["size"], False
        if self._path is not None:
            self._open()


def _end_of(file) -> int:
    """The size of a file object; some tell where they are from `seek`, others from `tell` alone."""
    end = file.seek(0, os.SEEK_END)
    return file.tell() if end is None else end
