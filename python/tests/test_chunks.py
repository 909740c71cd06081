"""`encode_chunk` and `decode_chunk`: what h5py stores and reads, and clear errors for all else."""

import h5py
import numpy as np
import pytest
from support import FILTERS, SHAPE, frames, python

import darkchunk
from darkchunk import decode_chunk, encode_chunk

DTYPES = [
    "<i2",
    ">i2",
    "<u2",
    "u1",
    "i1",
    "<i4",
    ">u4",
    "<i8",
    "<f4",
    ">f8",
    "<c16",
    "?",
    "S5",
    [("a", "<i2"), ("b", "<f8")],
]


def fits(filter, dtype):
    """DRLE is for integers of 16 bits, the bounded codec for those of up to 32 and float32."""
    dtype = np.dtype(dtype)
    if (filter.filter_name, dtype) == ("bounded", np.float32):
        return True
    most = {"drle": (2, 2), "bounded": (1, 4)}.get(filter.filter_name)
    return most is None or (dtype.kind in "iu" and most[0] <= dtype.itemsize <= most[1])


def pixels(dtype):
    dtype = np.dtype(dtype)
    raw = np.zeros((*SHAPE, dtype.itemsize), np.uint8)
    raw[::2, 3:9, ::5, 0] = np.arange(10, dtype=np.uint8)
    if dtype.kind == "S":
        raw[..., -1] = 65
    if dtype.kind == "b":
        raw = (raw > 0).astype(np.uint8)
    return np.ascontiguousarray(raw).view(dtype).reshape(SHAPE)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("filter", FILTERS, ids=repr)
def test_h5py_reads_what_is_encoded_and_what_it_writes_is_decoded(tmp_path, filter, dtype):
    if not fits(filter, dtype):
        with pytest.raises(darkchunk.UnsupportedError, match="int"):
            encode_chunk(pixels(dtype), filter)
        return
    data = pixels(dtype)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        written = file.create_dataset("h5py", data=data, chunks=SHAPE, compression=filter)
        direct = file.create_dataset("direct", SHAPE, data.dtype, chunks=SHAPE, compression=filter)
        direct.id.write_direct_chunk((0,) * data.ndim, encode_chunk(data, filter))
        assert np.array_equal(direct[...], data)
        mask, chunk = written.id.read_direct_chunk((0,) * data.ndim)
        stored = written.id.get_create_plist().get_filter(0)
    assert mask == 0 and filter.stored(dtype, SHAPE) == stored[2]
    for given in (filter, (stored[0], stored[2])):
        assert decode_chunk(chunk, given, dtype, SHAPE).tobytes() == data.tobytes()
    known = darkchunk.from_filter_options(stored[0], stored[2])
    assert type(known) is type(filter) and known == filter


def test_the_pixels_go_into_out_and_threads_change_nothing():
    data = np.tile(frames(), (4, 8, 8))
    for filter in FILTERS:
        chunk = encode_chunk(data, filter)
        assert encode_chunk(data, filter, threads=3) == chunk
        out = np.full(data.shape, -1, data.dtype)
        assert decode_chunk(bytearray(chunk), filter, data.dtype, data.shape, out=out, threads=2) is out
        assert np.array_equal(out, data)


def test_a_raw_chunk_is_copied():
    data = frames()
    found = decode_chunk(data.tobytes(), darkchunk.DRLE(), data.dtype, data.shape, mask=1)
    assert np.array_equal(found, data)
    with pytest.raises(darkchunk.DamagedError, match="raw"):
        decode_chunk(data.tobytes()[:-1], darkchunk.DRLE(), data.dtype, data.shape, mask=1)


def chain(dataset):
    dcpl = dataset.id.get_create_plist()
    return [(number, values) for number, _, values, _ in map(dcpl.get_filter, range(dcpl.get_nfilters()))]


def test_several_filters_are_undone_less_the_masked_ones(tmp_path):
    data = frames(shape=SHAPE)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for number, kind in enumerate([darkchunk.Zstd(), darkchunk.LZ4(), "gzip", "lzf", darkchunk.Blosc()]):
            options = dict(chunks=SHAPE, compression=kind, shuffle=True, fletcher32=True)
            dataset = file.create_dataset(str(number), data=data, **options)
            mask, chunk = dataset.id.read_direct_chunk((0, 0, 0))
            filters = chain(dataset)
            assert mask == 0 and len(filters) == 3
            assert np.array_equal(decode_chunk(chunk, filters, data.dtype, SHAPE), data)
            assert np.array_equal(decode_chunk(data.tobytes(), filters, data.dtype, SHAPE, mask=7), data)
            with pytest.raises(darkchunk.Error):
                decode_chunk(chunk[:-5], filters, data.dtype, SHAPE)
    assert np.array_equal(decode_chunk(CHUNK, [darkchunk.Bitshuffle()], DATA.dtype, DATA.shape), DATA)
    assert np.array_equal(decode_chunk(data.tobytes(), [], data.dtype, SHAPE), data)
    with pytest.raises(darkchunk.UnsupportedError, match="307"):
        decode_chunk(data.tobytes(), [(307, (9,))], data.dtype, SHAPE)


def test_what_is_not_contiguous_is_encoded_as_it_looks():
    data = frames()[::2, ::-1, 3:40:3]
    chunk = encode_chunk(data, darkchunk.Zstd())
    assert np.array_equal(decode_chunk(memoryview(chunk), darkchunk.Zstd(), data.dtype, data.shape), data)


DATA = frames()
CHUNK = encode_chunk(DATA, darkchunk.Bitshuffle())
READ_ONLY = np.empty_like(DATA)
READ_ONLY.flags.writeable = False
B = darkchunk.Bitshuffle()
BAD = {
    "no bytes": (TypeError, "bytes", lambda: decode_chunk(None, B, "<i2", DATA.shape)),
    "a text": (TypeError, "bytes", lambda: decode_chunk("abc", B, "<i2", DATA.shape)),
    "strided bytes": (ValueError, "contiguous", lambda: decode_chunk(memoryview(CHUNK)[::2], B, "<i2", DATA.shape)),
    "empty": (darkchunk.DamagedError, ".", lambda: decode_chunk(b"", B, "<i2", DATA.shape)),
    "cut": (darkchunk.DamagedError, ".", lambda: decode_chunk(CHUNK[:-3], B, "<i2", DATA.shape)),
    "another shape": (darkchunk.DamagedError, ".", lambda: decode_chunk(CHUNK, B, "<i2", (3, 3))),
    "no shape": (TypeError, ".", lambda: decode_chunk(CHUNK, B, "<i2", None)),
    "empty shape": (ValueError, "dimensions", lambda: decode_chunk(CHUNK, B, "<i2", ())),
    "negative": (ValueError, "dimension", lambda: decode_chunk(CHUNK, B, "<i2", (-1, 3))),
    "huge": (
        darkchunk.UnsupportedError,
        "4 GiB",
        lambda: encode_chunk(np.broadcast_to(np.int16(0), (1 << 20, 1 << 20)), B),
    ),
    "not a number": (TypeError, "dimension", lambda: decode_chunk(CHUNK, B, "<i2", (1.5, 3))),
    "objects": (TypeError, "fixed", lambda: encode_chunk(np.array([None, 1]), B)),
    "no elements": (ValueError, "dimension", lambda: encode_chunk(np.zeros((0, 3)), B)),
    "scalar": (ValueError, "dimensions", lambda: encode_chunk(np.int16(3), B)),
    "no filter": (TypeError, "filter", lambda: encode_chunk(DATA, None)),
    "a name": (TypeError, "filter", lambda: encode_chunk(DATA, "bshuf")),
    "unknown filter": (darkchunk.UnsupportedError, "none of darkchunk's", lambda: encode_chunk(DATA, (307, (9,)))),
    "bad parameter": (ValueError, ".", lambda: encode_chunk(DATA, (32008, (3, 2)))),
    "parameter too large": (ValueError, "parameter", lambda: encode_chunk(DATA, (32008, (1 << 40,)))),
    "negative parameter": (ValueError, "parameter", lambda: encode_chunk(DATA, (32015, (-1,)))),
    "out is a list": (TypeError, "numpy", lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, out=[0])),
    "out of another type": (
        ValueError,
        "out is",
        lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, out=DATA.astype("f8")),
    ),
    "out too small": (ValueError, "out is", lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, out=DATA[1:].copy())),
    "out in another order": (
        ValueError,
        "contiguous",
        lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, out=np.asfortranarray(DATA)),
    ),
    "out is read-only": (ValueError, "writable", lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, out=READ_ONLY)),
    "no threads": (ValueError, "threads", lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, threads=0)),
    "threads of a half": (TypeError, "threads", lambda: encode_chunk(DATA, B, threads=0.5)),
    "mask": (ValueError, "mask", lambda: decode_chunk(CHUNK, B, "<i2", DATA.shape, mask=4)),
    "DRLE of floats": (darkchunk.UnsupportedError, "int16", lambda: encode_chunk(DATA.astype("f4"), darkchunk.DRLE())),
    "too bright": (
        darkchunk.TooBrightError,
        "40000",
        lambda: encode_chunk(np.full((2, 3), 40000, "u2"), darkchunk.DRLE(mode="bare")),
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_an_error_that_says_what_is_wrong(what):
    kind, text, call = BAD[what]
    with pytest.raises(kind, match=text):
        call()


@pytest.mark.parametrize("filter", FILTERS, ids=repr)
def test_every_damaged_chunk_is_an_error_or_pixels(filter):
    """In a process that may die: cut anywhere, and any byte changed."""
    code = f"""
import sys, numpy as np, darkchunk
from darkchunk import {type(filter).__name__}
data = np.zeros((2, 30, 31), "<i2"); data[:, ::7, ::5] = 77
chunk, filter = darkchunk.encode_chunk(data, {filter!r}), {filter!r}
def attempt(damaged):
    try:
        assert darkchunk.decode_chunk(damaged, filter, data.dtype, data.shape).shape == data.shape
    except darkchunk.Error:
        return
for n in range(len(chunk)):
    attempt(chunk[:n])
    for change in (1, 0x80, 0xff):
        attempt(chunk[:n] + bytes([chunk[n] ^ change]) + chunk[n + 1:])
"""
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_without_h5py_chunks_are_encoded_and_decoded_and_doctor_answers():
    code = """
import sys
sys.modules["h5py"] = None
import numpy as np, darkchunk
data = np.arange(600, dtype="<i2").reshape(20, 30)
for filter in (darkchunk.DRLE(), darkchunk.Bitshuffle(), darkchunk.Blosc(), darkchunk.LZ4(), darkchunk.Zstd()):
    assert (darkchunk.decode_chunk(darkchunk.encode_chunk(data, filter), filter, data.dtype, data.shape) == data).all()
from darkchunk import _doctor
assert _doctor.report() == []
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
