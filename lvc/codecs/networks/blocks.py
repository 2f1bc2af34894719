"""A frame cut into a grid of equal blocks, and put together again."""

from torch import Tensor


def cut(frames: Tensor, rows: int, columns: int) -> Tensor:
    """Blocks [rows*columns, T, 3*h*w] of frames [T, 3, rows*h, columns*w], row by row."""
    count, channels, height, width = frames.shape
    h, w = height // rows, width // columns
    x = frames.reshape(count, channels, rows, h, columns, w)
    x = x.permute(2, 4, 0, 1, 3, 5)  # rows, columns, T, 3, h, w
    return x.reshape(rows * columns, count, channels * h * w)


def join(blocks: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """Frames [T, 3, height, width] of blocks [rows*columns, T, 3*h*w]: the inverse of `cut`."""
    count = blocks.shape[1]
    h, w = height // rows, width // columns
    x = blocks.reshape(rows, columns, count, -1, h, w)
    x = x.permute(2, 3, 0, 4, 1, 5)  # T, 3, rows, h, columns, w
    return x.reshape(count, -1, height, width)
