"""The bar that shows how far a command is."""

from tqdm import tqdm


class ProgressBar(tqdm):
    """A bar that an error takes away, so that the error's line stands alone."""

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.leave = False
        return super().__exit__(kind, error, trace)
