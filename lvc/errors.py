"""The errors that `lvc` raises: what was expected, and where."""

import traceback


class LvcError(Exception):
    """Base of all errors of this library; `str()` is one line for a person."""


class InputError(LvcError):
    """A video, picture or data set cannot be read, or holds nothing to read."""


class FormatError(LvcError):
    """Bytes are not a valid `.lvc` file: says the offset and what was expected there."""

    def __init__(self, message: str, *, offset: int | None = None):
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset


class ModelError(LvcError):
    """A model is missing, is another one than asked for, or its weights do not fit."""


class OptionError(LvcError, ValueError):
    """Options that make no sense, alone or together: says why. A ValueError too,
    as callers of other decoders catch it.
    """


class OutputError(LvcError):
    """The output cannot be written, exists already, or is also the input."""


class UnexpectedError(LvcError):
    """A fault that nobody foresaw, of one input: the others go on. trace: the traceback, as text, also from another
    process.
    """

    def __init__(self, message: str, trace: str = ""):
        super().__init__(message)
        self.trace = trace

    def __reduce__(self):
        return type(self), (str(self), self.trace)

    def about(self, name: str) -> "UnexpectedError":
        """The same, told of an input of that name."""
        return type(self)(f"{name}: {self}", self.trace)

    @classmethod
    def of(cls, error: Exception, name: str = "") -> "UnexpectedError":
        """What an error of any kind says in one line. name: of the input."""
        said = f"{type(error).__name__}: {error}".partition("\n")[0].strip().removesuffix(":")
        return cls(f"{name}: {said}" if name else said, "".join(traceback.format_exception(error)))


class DisplayError(LvcError):
    """There is no display to open a window on."""
