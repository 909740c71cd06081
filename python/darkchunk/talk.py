"""Recordings whose images the program itself has run-length encoded, from before there was a filter for it.

Two layouts, in which the dataset is not an array of images:

* *Entries*: a dataset of variable-length entries (PyTables' VLArray, `h5py.vlen_dtype`). Each is the DRLE streams of N
  images, one after the other; the last entry may have fewer.
* *One line*: a long dataset of one dimension with all streams, and a second one that says where image i starts in it.

`darkchunk.talk.open` reads both as (image, row, column); `convert` makes an ordinary dataset of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _keys, _talk_file
from ._chunks import decode_chunk
from ._errors import DamagedError, UnsupportedError
from ._filters import DRLE, DRLE_ID
from ._talk_streams import Entries, Line, streams

__all__ = ["Images", "convert", "open"]

# A bare stream, as a file describes it: threshold, mode, one segment, version, int16 little-endian.
_BARE = (1, 1, 0, 1, 1)


class Images:
    """Images of (height, width) pixels int16, read as a `Dataset` is: `images[i]`, `images[10:20]`,
    `images[i, row, column]`. Dark pixels are 0.

    Made by `darkchunk.talk.open`. Several threads may read at the same time. An image is decoded when it is asked for.
    """

    def __init__(self, source: Entries | Line, shape: tuple[int, int], own_file: Any) -> None:
        """`source`: the streams. `own_file`: the file, if it is to be closed. Use `open`."""
        self._source, self._shape, self._own_file = source, (len(source), *shape), own_file

    @property
    def shape(self) -> tuple[int, int, int]:
        """Images, rows, columns."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """int16."""
        return np.dtype(np.int16)

    @property
    def ndim(self) -> int:
        """3."""
        return 3

    def __len__(self) -> int:
        return self._shape[0]

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"<darkchunk.talk.Images {self._shape} in {self._source.name!r}>"

    def __getitem__(self, key: Any) -> Any:
        """The pixels that are chosen: an array, or a number where numbers choose one pixel."""
        chosen = _keys.selection(key, self._shape)
        if chosen is None:
            raise UnsupportedError(f"images are chosen by numbers, slices and one list, not by {key!r}")
        images, rows, columns = (_along(chosen, axis) for axis in range(3))
        out = np.empty((len(images), len(rows), len(columns)), np.int16)
        for place, index in enumerate(images.tolist()):
            if out[place].size:
                out[place] = self._image(index)[np.ix_(rows, columns)]
        return out[tuple(0 if dropped else slice(None) for dropped in chosen.dropped)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of them."""
        if copy is False:
            raise ValueError("what is in a file is always copied")
        return np.asarray(self[:], dtype)

    def _image(self, index: int) -> NDArray[Any]:
        try:
            return decode_chunk(self._source.stream(index), (DRLE_ID, _BARE), "<i2", self._shape[1:])
        except DamagedError as error:
            raise DamagedError(f"image {index} in {self._source.name}: {error}") from None

    def close(self) -> None:
        """Closes the file, if `open` has opened it."""
        if self._own_file is not None:
            self._own_file.close()

    def __enter__(self) -> Images:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _along(chosen: _keys.Selection, axis: int) -> NDArray[np.int64]:
    """The numbers that are chosen of an axis, in the order of the result."""
    if chosen.listed is not None and chosen.listed[0] == axis:
        return chosen.listed[1]
    numbers = chosen.start[axis] + chosen.step[axis] * np.arange(chosen.count[axis])
    return numbers[::-1] if chosen.flipped[axis] else numbers


def open(
    path: Any,
    dataset: str,
    shape: tuple[int, int] | str,
    index: str | None = None,
    images_per_entry: int | str | None = None,
) -> Images:
    """Opens the images for reading.

    `path`: the file, or one that h5py has opened. `dataset`: the streams, 16-bit integers. `shape`: height and width in
    pixels, or the name of the dataset's attribute that has them. `index`: where all streams are one line, the dataset
    of their starts, in elements. `images_per_entry`: a number, or the name of the attribute that has it; None for as
    many as the first entry has.
    """
    import h5py

    own_file = None if isinstance(path, h5py.Group) else h5py.File(os.fspath(path), "r")
    file = path if own_file is None else own_file
    try:
        source, pixels = streams(file, dataset, shape, index, images_per_entry)
        return Images(source, pixels, own_file)
    except BaseException:
        if own_file is not None:
            own_file.close()
        raise


def convert(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    dataset: str,
    shape: tuple[int, int] | str,
    index: str | None = None,
    images_per_entry: int | str | None = None,
    filter: Any = None,
    frames_per_chunk: int = 1,
) -> None:
    """Writes the file `out`, in which `dataset` is an ordinary one of (image, row, column) int16.

    All else is copied, but for the index; what two hard links name is there twice. `out` must not exist. It gets its
    name when each image was read again and is equal; so `filter` is one without loss (None for `DRLE(1)`, which loses
    nothing here, as dark pixels are 0 already). The other arguments are those of `open`.
    """
    import h5py

    out = os.path.abspath(os.fspath(out))
    if os.path.lexists(out):
        raise FileExistsError(f"{out} is there; name another file, or move it away")
    part = f"{out}.part-{os.getpid()}"
    try:
        with h5py.File(os.fspath(path), "r") as file:
            images = open(file, dataset, shape, index, images_per_entry)
            _talk_file.write(file, part, dataset, index, images, filter or DRLE(1), frames_per_chunk)
            _talk_file.compare(part, dataset, images)
        _talk_file.name(part, out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)
