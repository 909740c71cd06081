"""HDF5 files read as zarr arrays, where they lie: `references` lists a file's chunks as kerchunk does, and `Codec`
decodes them, by ranges of bytes, from a disk or a web server. It needs numcodecs, and zarr to read.

    import fsspec, zarr, darkchunk.zarr

    refs = darkchunk.zarr.references("run.h5", url="https://example.org/run.h5")
    remote = {"remote_protocol": "https", "remote_options": {"asynchronous": True}}
    files = fsspec.filesystem("reference", fo=refs, asynchronous=True, **remote)
    group = zarr.open_group(zarr.storage.FsspecStore(files), mode="r", zarr_format=2)

Codec and names are found by zarr and numcodecs themselves, by entry points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numcodecs.abc import Codec as _Codec
from numcodecs.compat import ensure_contiguous_ndarray, ndarray_copy
from numpy.typing import DTypeLike

from ._chunks import decode_chunk, encode_chunk, stored_values
from ._errors import UnsupportedError
from ._list import CLASSES
from ._references import MARK, references

__all__ = ["Codec", "references"]

_OURS = {known.filter_id for known in CLASSES}


class Codec(_Codec):
    """The filters of an HDF5 dataset, as one codec: what it decodes is a stored chunk.

    `filters`: `(number, parameters)` as the file stores them, in the dataset's order; or objects such as
    `darkchunk.DRLE(20)`. `dtype`: of the elements, with their byte order. `shape`: of a chunk. `mask`: the filter mask
    that all chunks have.
    """

    codec_id = "darkchunk"

    def __init__(self, filters: Sequence[Any], dtype: DTypeLike, shape: Sequence[int], mask: int = 0) -> None:
        self._dtype, self._shape, self._mask = np.dtype(dtype), tuple(int(n) for n in shape), int(mask)
        self._filters = [self._pair(one) for one in filters]

    def _pair(self, one: Any) -> tuple[int, tuple[int, ...]]:
        if getattr(one, "filter_id", None) is not None:
            return int(one.filter_id), stored_values(one, self._dtype, self._shape)
        number, values = one
        return int(number), tuple(int(value) for value in values)

    def encode(self, buf: Any) -> bytes:
        """A stored chunk, of the pixels of one; where there is one filter, and it is one of darkchunk's."""
        if len(self._filters) != 1 or self._mask or self._filters[0][0] not in _OURS:
            raise UnsupportedError("a chunk is encoded where it has one filter, and that is one of darkchunk's")
        pixels = ensure_contiguous_ndarray(buf).view(self._dtype)
        return encode_chunk(pixels.reshape(self._shape), self._filters[0])

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes of the pixels of a stored chunk."""
        stored, mask = memoryview(ensure_contiguous_ndarray(buf)).cast("B"), self._mask
        if stored[: len(MARK)] == MARK:
            mask = int.from_bytes(stored[len(MARK) : len(MARK) + 4], "little")
            stored = stored[len(MARK) + 4 :]
        pixels = decode_chunk(stored, self._filters, self._dtype, self._shape, mask=mask)
        return ndarray_copy(pixels, out)

    def get_config(self) -> dict[str, Any]:
        """As JSON in the array's metadata."""
        filters = [[number, list(values)] for number, values in self._filters]
        config = {"id": self.codec_id, "filters": filters, "dtype": self._dtype.str, "shape": list(self._shape)}
        return config | ({"mask": self._mask} if self._mask else {})

    def __repr__(self) -> str:
        return f"Codec({self._filters}, {self._dtype.str!r}, {self._shape}, mask={self._mask})"
