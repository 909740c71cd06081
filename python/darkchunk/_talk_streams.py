"""Where the DRLE stream of an image lies, in the layouts that `darkchunk.talk` reads.

A stream is of 16-bit tokens: a negative one is so many dark pixels, each other one a pixel (docs/format.md).
"""

from __future__ import annotations

import operator
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import DamagedError, UnsupportedError

_MAX_PIXELS = 1 << 31


def _ends(tokens: NDArray[Any]) -> NDArray[np.int64]:
    """How many pixels the tokens up to and with each one stand for."""
    return np.cumsum(np.where(tokens < 0, -tokens.astype(np.int64), 1))


def _cut(tokens: NDArray[Any], ends: NDArray[np.int64], start: int, n_pixels: int) -> NDArray[np.int16]:
    """The stream of some pixels out of a longer one, in which a run may go on from one image into the next."""
    first, last = np.searchsorted(ends, [start, start + n_pixels - 1], side="right")
    cut = tokens[first : last + 1].astype("<i2")
    before = int(ends[first - 1]) if first else 0
    # A run that begins earlier, or ends later, becomes shorter.
    cut[0] += start - before
    cut[-1] += int(ends[last]) - (start + n_pixels)
    return cut


class Entries:
    """Variable-length entries of `n_images` images each."""

    def __init__(self, dataset: Any, n_pixels: int, n_images: int | None) -> None:
        self.name, self._dataset, self._n_pixels = dataset.name, dataset, n_pixels
        self._lock, self._kept = threading.Lock(), (-1, np.empty(0, np.int16), np.empty(0, np.int64))
        n_entries = dataset.shape[0]
        self._n_images = n_images or (self._count(0) if n_entries else 1)
        self._n_last = self._count(n_entries - 1) if n_entries else 0
        self._n_entries = n_entries
        if self._n_last > self._n_images:
            raise DamagedError(f"{self.name}: the last entry has {self._n_last} images, an entry {self._n_images}")

    def __len__(self) -> int:
        return max(0, self._n_entries - 1) * self._n_images + self._n_last

    def _entry(self, entry: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The tokens of an entry, and their ends. The last one is kept, as images are read in order."""
        with self._lock:
            kept, tokens, ends = self._kept
            if kept != entry:
                tokens = np.asarray(self._dataset[entry])
                ends = _ends(tokens)
                self._kept = (entry, tokens, ends)
            return tokens, ends

    def _count(self, entry: int) -> int:
        """How many images an entry has."""
        ends = self._entry(entry)[1]
        n_images, rest = divmod(int(ends[-1]) if len(ends) else 0, self._n_pixels)
        if rest or not n_images:
            has = f"{int(ends[-1]) if len(ends) else 0} pixels"
            raise DamagedError(f"{self.name}: entry {entry} has {has}, which are no images of {self._n_pixels}")
        return n_images

    def stream(self, index: int) -> NDArray[np.int16]:
        """The tokens of an image."""
        entry, within = divmod(index, self._n_images)
        expected = self._n_last if entry == self._n_entries - 1 else self._n_images
        if self._count(entry) != expected:
            raise DamagedError(f"entry {entry} has {self._count(entry)} images, not {expected}")
        tokens, ends = self._entry(entry)
        return _cut(tokens, ends, within * self._n_pixels, self._n_pixels)


class Line:
    """One long dataset, and where each image starts in it."""

    def __init__(self, dataset: Any, index: Any) -> None:
        self.name, self._dataset = dataset.name, dataset
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise UnsupportedError(
                f"{index.name} is {index.dtype} {index.shape}; an index is integers of one dimension"
            )
        n_tokens = dataset.shape[0]
        starts = index[()].astype(np.int64)
        # Some writers add the end of the last image.
        if len(starts) and starts[-1] == n_tokens:
            starts = starts[:-1]
        self._limits = np.append(starts, n_tokens)
        if len(starts) and (starts[0] < 0 or (self._limits[1:] <= self._limits[:-1]).any()):
            raise DamagedError(f"{index.name}: the starts do not grow, or are outside of {n_tokens} elements")

    def __len__(self) -> int:
        return len(self._limits) - 1

    def stream(self, index: int) -> NDArray[np.int16]:
        """The tokens of an image."""
        return self._dataset[int(self._limits[index]) : int(self._limits[index + 1])].astype("<i2")


def streams(
    file: Any, dataset: str, shape: Any, index: str | None, n_images: Any
) -> tuple[Entries | Line, tuple[int, int]]:
    """The streams in this dataset, and height and width."""
    import h5py

    found = _dataset(file, dataset)
    height, width = _shape(found, shape)
    entry = h5py.check_vlen_dtype(found.dtype)
    _check(found, found.dtype if entry is None else entry)
    if entry is not None:
        if index is not None:
            raise UnsupportedError(f"{dataset} has variable-length entries, which need no index")
        return Entries(found, height * width, _number(found, n_images)), (height, width)
    if index is None:
        raise UnsupportedError(f"{dataset} is one line of streams: name the dataset of the images' starts as `index`")
    return Line(found, _dataset(file, index)), (height, width)


def _dataset(file: Any, name: str) -> Any:
    import h5py

    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise UnsupportedError(f"{name} is no dataset")
    return found


def _check(found: Any, element: Any) -> None:
    element = np.dtype(element)
    if found.ndim != 1 or element.kind != "i" or element.itemsize != 2:
        has = f"{element} of {found.ndim} dimensions"
        raise UnsupportedError(f"{found.name} is {has}; streams are int16, of one dimension")


def _shape(found: Any, shape: Any) -> tuple[int, int]:
    values = _attribute(found, shape) if isinstance(shape, str) else shape
    height, width = (operator.index(n) for n in np.asarray(values).reshape(-1).tolist())
    if min(height, width) < 1 or height * width > _MAX_PIXELS:
        raise ValueError(f"an image has height and width, at most {_MAX_PIXELS} pixels, not {height} x {width}")
    return height, width


def _number(found: Any, n_images: Any) -> int | None:
    value = _attribute(found, n_images) if isinstance(n_images, str) else n_images
    if value is None:
        return None
    number = operator.index(np.asarray(value).reshape(-1).tolist()[0])
    if number < 1:
        raise ValueError(f"an entry has one image or more, not {number}")
    return number


def _attribute(found: Any, name: str) -> Any:
    if name not in found.attrs:
        raise UnsupportedError(f"{found.name} has no attribute {name!r}; it has {', '.join(found.attrs) or 'none'}")
    return found.attrs[name]
