"""The public name of `RecordVideo`, which writes episodes of a Gymnasium environment as `.lvc` files."""

from lvc.writing.record_video import RecordVideo

__all__ = ["RecordVideo"]
