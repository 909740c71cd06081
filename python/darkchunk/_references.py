"""Where the chunks of an HDF5 file lie, as kerchunk writes it: what `darkchunk.zarr.references` returns."""

from __future__ import annotations

import base64
import json
import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import _hosted
from ._errors import UnsupportedError
from ._list import CLASSES

#: What stands before a chunk, and the four bytes of its filter mask, where it is in the references itself.
MARK = b"darkchunk\0masked"
# The filters that `decode_chunk` knows besides ours: deflate, shuffle, fletcher32, LZF, LZO.
_KNOWN = {1, 2, 3, 32000, 305} | {known.filter_id for known in CLASSES}
# So many bytes of the file may be in the references.
_MAX_INLINE = 64 << 20


def references(
    path: str | os.PathLike[str], url: str | None = None, datasets: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arrays of a file as references of version 1, for fsspec's `reference` file system and zarr's format 2.

    `url`: where readers find the file; None for its absolute path. `datasets`: their names; None for all, of which
    those that zarr cannot have (strings, tables, virtual datasets, other filters) are left out with a warning. Chunks
    whose filter mask is another than that of most are put into the references, up to 64 MiB; more are refused.
    """
    import h5py

    name = os.path.abspath(os.fspath(path))
    refs: dict[str, Any] = {".zgroup": json.dumps({"zarr_format": 2})}
    with h5py.File(name, "r") as file, open(name, "rb") as raw:
        _attributes(refs, "", file, [])
        for found in _datasets(file, datasets):
            try:
                refs |= _Array(found, raw, name if url is None else url).refs()
            except UnsupportedError as error:
                if datasets is not None:
                    raise
                warnings.warn(f"left out: {error}", stacklevel=2)
                continue
            for group in _groups(found.name):
                refs[f"{group}/.zgroup"] = refs[".zgroup"]
                _attributes(refs, f"{group}/", file[group], [])
    return {"version": 1, "refs": refs}


def _datasets(file: Any, names: Sequence[str] | None) -> list[Any]:
    import h5py

    if names is not None:
        return [file[name] for name in names]
    found: list[Any] = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _groups(name: str) -> list[str]:
    """The groups on the way to a dataset, without the first."""
    parts = name.strip("/").split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def _attributes(refs: dict[str, Any], place: str, item: Any, dimensions: Iterable[str]) -> None:
    """Those that JSON can have."""
    hidden = {
        "DIMENSION_LIST",
        "REFERENCE_LIST",
        "CLASS",
        "NAME",
        "_Netcdf4Dimid",
        "_Netcdf4Coordinates",
        "_NCProperties",
    }
    values = {name: _plain(item.attrs[name]) for name in item.attrs if name not in hidden}
    values = {name: value for name, value in values.items() if value is not None}
    names = list(dimensions)
    refs[f"{place}.zattrs"] = json.dumps(values | ({"_ARRAY_DIMENSIONS": names} if names else {}))


def _plain(value: Any) -> Any:
    """An attribute as JSON, None where that cannot be."""
    plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(plain, bytes):
        plain = plain.decode(errors="replace")
    try:
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return plain


class _Array:
    """One dataset."""

    def __init__(self, dataset: Any, raw: Any, url: str) -> None:
        self._dataset, self._raw, self._url = dataset, raw, url
        self._dtype, self._shape, self._name = dataset.dtype, dataset.shape, dataset.name.strip("/")
        self._dcpl = dataset.id.get_create_plist()

    def refs(self) -> dict[str, Any]:
        """Its entries."""
        from h5py import h5d

        if self._dtype.kind not in "biuf" or self._shape is None or self._dtype.itemsize > 8:
            raise self._refused(f"its elements are {self._dtype}")
        layout = self._dcpl.get_layout()
        if layout == h5d.VIRTUAL or self._dcpl.get_external_count():
            raise self._refused("its pixels are in other files")
        if layout == h5d.CHUNKED:
            chunks, found = self._chunked()
        elif layout == h5d.CONTIGUOUS:
            chunks, found = self._contiguous()
        else:
            chunks, found = self._shape, {self._key(()): _inline(self._dataset[()].tobytes())}
        place = f"{self._name}/"
        refs = {f"{place}.zarray": json.dumps(self._metadata(chunks, found.pop("codec", None)))}
        _attributes(refs, place, self._dataset, self._dimensions())
        return refs | {f"{place}{key}": value for key, value in found.items()}

    def _refused(self, why: str) -> UnsupportedError:
        return UnsupportedError(f"/{self._name} cannot be an array of zarr: {why}")

    def _key(self, index: Sequence[int]) -> str:
        return ".".join(map(str, index or [0] * len(self._shape))) or "0"

    def _metadata(self, chunks: Sequence[int], codec: Any) -> dict[str, Any]:
        return {
            "zarr_format": 2,
            "shape": list(self._shape),
            "chunks": [max(1, n) for n in chunks],
            "dtype": self._dtype.str,
            "fill_value": _fill(self._dataset.fillvalue),
            "order": "C",
            "compressor": codec,
            "filters": None,
        }

    def _dimensions(self) -> list[str]:
        """Names for xarray: those of the dimension scales; else of the dataset's own."""
        own = self._name.replace("/", "_")
        scales = [scale[0].name.rsplit("/", 1)[-1] if len(scale) else "" for scale in self._dataset.dims]
        return [name or f"{own}_{axis}" for axis, name in enumerate(scales)]

    def _contiguous(self) -> tuple[Sequence[int], dict[str, Any]]:
        """A row of the first axis as a chunk."""
        address = self._dataset.id.get_offset()
        chunks = (1, *self._shape[1:]) if len(self._shape) > 1 else self._shape
        n_bytes = int(np.prod(chunks, dtype=np.int64)) * self._dtype.itemsize
        n_rows = self._shape[0] if len(self._shape) > 1 else min(1, self._dataset.size)
        if address is None or not n_bytes:
            return chunks, {}
        first = self._dataset[:1] if len(self._shape) > 1 else self._dataset[()]
        if self._read(address, n_bytes) != np.asarray(first).tobytes():
            raise self._refused("its address is not what HDF5 says")
        rest = (0,) * (len(self._shape) - 1)
        rows = {self._key((row, *rest) if self._shape else ()): row * n_bytes for row in range(n_rows)}
        return chunks, {key: [self._url, address + start, n_bytes] for key, start in rows.items()}

    def _chunked(self) -> tuple[Sequence[int], dict[str, Any]]:
        filters = [self._dcpl.get_filter(index) for index in range(self._dcpl.get_nfilters())]
        unknown = [number for number, *_ in filters if number not in _KNOWN]
        if unknown:
            raise self._refused(f"it has filter {unknown[0]}, which is not darkchunk's")
        self._n_filters, chunks, stored = len(filters), self._dataset.chunks, self._stored()
        self._raw_edges = bool(filters) and _hosted.edges_are_raw(self._dcpl)
        masks = [self._mask(chunk) for chunk in stored]
        mask = max(set(masks), key=masks.count, default=0)
        self._check_addresses(stored)
        found: dict[str, Any] = {}
        if filters:
            codec = {"id": "darkchunk", "filters": [[number, list(values)] for number, _, values, _ in filters]}
            found["codec"] = (
                codec | {"dtype": self._dtype.str, "shape": list(chunks)} | ({"mask": mask} if mask else {})
            )
        n_inline = sum(chunk.size for chunk, own in zip(stored, masks, strict=True) if own != mask)
        if n_inline > _MAX_INLINE:
            raise self._refused(f"chunks with another filter mask than {mask} have {n_inline} bytes")
        for chunk, own in zip(stored, masks, strict=True):
            key = self._key([start // n for start, n in zip(chunk.chunk_offset, chunks, strict=True)])
            place = (chunk.byte_offset + self._shift, chunk.size)
            is_inline = own != mask
            found[key] = (
                _inline(MARK + own.to_bytes(4, "little") + self._read(*place)) if is_inline else [self._url, *place]
            )
        return chunks, found

    def _mask(self, chunk: Any) -> int:
        """Its filter mask; all filters where it is at an edge that is stored without."""
        sides = zip(chunk.chunk_offset, self._dataset.chunks, self._shape, strict=True)
        is_cut = self._raw_edges and any(start + n > end for start, n, end in sides)
        return (1 << self._n_filters) - 1 if is_cut else chunk.filter_mask

    def _stored(self) -> list[Any]:
        """All chunks that are stored; of a growing file also some outside of the shape, which are not wanted."""
        found: list[Any] = []
        identifier = self._dataset.id
        if hasattr(identifier, "chunk_iter"):
            identifier.chunk_iter(found.append)
        else:
            found = [identifier.get_chunk_info(index) for index in range(identifier.get_num_chunks())]
        return [chunk for chunk in found if all(a < n for a, n in zip(chunk.chunk_offset, self._shape, strict=True))]

    def _check_addresses(self, stored: list[Any]) -> None:
        """Some versions of HDF5 leave the user block out of an address: what is read must be what HDF5 reads."""
        self._shift = 0
        for chunk in stored[:1]:
            expected = self._dataset.id.read_direct_chunk(chunk.chunk_offset)[1]
            for shift in (0, self._dataset.file.userblock_size):
                if self._read(chunk.byte_offset + shift, chunk.size) == expected:
                    self._shift = shift
                    return
            raise self._refused("a chunk's address is not what HDF5 says")

    def _read(self, address: int, n_bytes: int) -> bytes:
        self._raw.seek(address)
        return self._raw.read(n_bytes)


def _inline(data: bytes) -> str:
    return "base64:" + base64.b64encode(data).decode()


def _fill(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return "NaN" if np.isnan(plain) else "Infinity" if plain > 0 else "-Infinity"
    return plain
