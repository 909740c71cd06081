"""Zstd chunks as other writers store them, of frames made by Debian's own libzstd: the right pixels in every HDF5."""

import ctypes
import struct
from ctypes import c_char_p, c_int, c_size_t, c_void_p

import h5py
import pytest

from common import CHUNKS, ZSTD, child, frames

HOSTS = ["h5py", "tables", "netCDF4", "debian"]
CONTENT_SIZE, CHECKSUM = 200, 201
SKIPPABLE = struct.pack("<II", 0x184D2A5C, 5) + b"notes"


def frame(data, parameters):
    """One frame of level 3, with these of libzstd's parameters."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_createCCtx.restype = c_void_p
    library.ZSTD_CCtx_setParameter.argtypes = [c_void_p, c_int, c_int]
    library.ZSTD_compress2.restype = c_size_t
    library.ZSTD_compress2.argtypes = [c_void_p, c_char_p, c_size_t, c_char_p, c_size_t]
    library.ZSTD_freeCCtx.argtypes = [c_void_p]
    context = library.ZSTD_createCCtx()
    for number, value in parameters.items():
        assert library.ZSTD_CCtx_setParameter(context, number, value) == value
    out = ctypes.create_string_buffer(len(data) + 1024)
    n_bytes = library.ZSTD_compress2(context, out, len(out), data, len(data))
    library.ZSTD_freeCCtx(context)
    assert n_bytes <= len(out)
    return out.raw[:n_bytes]


def plain(data):
    return frame(data, {})


def without_size(data):
    made = frame(data, {CONTENT_SIZE: 0})
    # The two bits that say how long the field is, and the one that gives a single segment's its first byte.
    assert made[4] & 0b1110_0000 == 0
    return made


FORMS = {
    "size not stated": without_size,
    "checksum": lambda data: frame(data, {CHECKSUM: 1}),
    "two frames": lambda data: plain(data[:4096]) + plain(data[4096:]),
    "two frames, sizes not stated": lambda data: without_size(data[:4096]) + without_size(data[4096:]),
    "skippable frame before": lambda data: SKIPPABLE + plain(data),
    "skippable frame after": lambda data: plain(data) + SKIPPABLE,
    "zeros after": lambda data: plain(data) + bytes(8),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A dataset for each form, with the one parameter that others store. The chunks are written past the filter."""
    path, data = tmp_path_factory.mktemp("zstd") / "frames.h5", frames(2 * CHUNKS[0])
    with h5py.File(path, "w") as file:
        for name, form in FORMS.items():
            options = dict(shape=data.shape, dtype=data.dtype, chunks=CHUNKS, compression=ZSTD, compression_opts=(3,))
            dataset = file.create_dataset(name, **options)
            for start in range(0, len(data), CHUNKS[0]):
                chunk = form(data[start : start + CHUNKS[0]].tobytes())
                dataset.id.write_direct_chunk((start, 0, 0), chunk)
    return path


@pytest.mark.parametrize("host", HOSTS)
def test_every_form_is_read(path, host):
    found = child("read_with_each", hosts=[host], path=path, datasets=list(FORMS), n_frames=2 * CHUNKS[0])
    assert set(found.values()) == {"ok"} and len(found) == len(FORMS), found
