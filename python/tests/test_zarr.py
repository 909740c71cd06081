"""HDF5 files as zarr arrays: equal to h5py, masks, holes and edges too; by ranges from a web server; hostile chunks."""

import contextlib
import http.server
import json
import re
import threading
import warnings

import h5py
import numpy as np
import pytest
from support import FILTERS, frames

import darkchunk

numcodecs = pytest.importorskip("numcodecs")
zarr = pytest.importorskip("zarr")
fsspec = pytest.importorskip("fsspec")

import darkchunk.zarr as dz

FRAMES = frames()
CHUNK = (4, 20, 47)


def opened(refs, protocol="file"):
    options = {"remote_protocol": protocol, "remote_options": {"asynchronous": True}, "asynchronous": True}
    files = fsspec.filesystem("reference", fo=refs, **options)
    return zarr.open_group(zarr.storage.FsspecStore(files, read_only=True), mode="r", zarr_format=2)


def kinds():
    yield from ((f"{one.filter_name}-{index}", {"compression": one}) for index, one in enumerate(FILTERS))
    yield "gzip", {"compression": "gzip", "shuffle": True, "fletcher32": True}
    yield "lzf", {"compression": "lzf"}
    yield "shuffled", {"compression": darkchunk.Zstd(), "shuffle": True}
    yield "none", {}


def write(path, **options):
    with h5py.File(path, "w", **options) as file:
        for name, more in kinds():
            file.create_dataset(f"entry/{name}", data=FRAMES, chunks=CHUNK, **more)
        file["entry"].attrs["sample"] = "N2"
        file["contiguous"] = FRAMES
        file["number"] = 5.5
        file.create_dataset("holes", (9, 33, 47), ">i4", chunks=CHUNK, fillvalue=-7, compression=darkchunk.Bitshuffle())
        file["holes"][5, :3] = 6
        file["holes"].attrs["unit"] = "counts"
        file["holes"].attrs["scale"] = np.float32(0.5)


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"userblock_size": 512}])
def test_a_file_is_read_as_h5py_reads_it(tmp_path, options):
    write(tmp_path / "a.h5", **options)
    refs = json.loads(json.dumps(dz.references(tmp_path / "a.h5")))
    group = opened(refs)
    with h5py.File(tmp_path / "a.h5") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            assert group[name].dtype == file[name].dtype and np.array_equal(group[name][...], file[name][()]), name
        assert not any(key.startswith("holes/0") for key in refs["refs"])
    assert (group["holes"][5, :4, 1].tolist(), dict(group["holes"].attrs)["unit"]) == ([6, 6, 6, -7], "counts")
    assert group["entry"].attrs["sample"] == "N2"


def test_chunks_with_other_masks_are_right(tmp_path):
    raw = np.arange(33 * 47, dtype="<i2").reshape(33, 47) % 50
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, mask in {"first": 1, "second": 2, "both": 3}.items():
            options = {"chunks": (1, 33, 47), "shuffle": True, "compression": darkchunk.Zstd()}
            dataset = file.create_dataset(name, data=FRAMES, **options)
            plain = raw.tobytes()
            shuffled = np.frombuffer(plain, "u1").reshape(-1, 2).T.tobytes()
            packed = {1: plain, 2: shuffled, 3: plain}[mask]
            packed = (
                darkchunk.encode_chunk(np.frombuffer(packed, "<i2").reshape(1, 33, 47), darkchunk.Zstd())
                if mask == 1
                else packed
            )
            dataset.id.write_direct_chunk((4, 0, 0), packed, mask)
        only = file.create_dataset("only", (3, 33, 47), "<i2", chunks=(1, 33, 47), compression=darkchunk.DRLE())
        for index in range(3):
            only.id.write_direct_chunk((index, 0, 0), raw.tobytes(), 1)
    refs = dz.references(tmp_path / "a.h5")
    group = opened(refs)
    with h5py.File(tmp_path / "a.h5") as file:
        for name in file:
            assert (file[name][()] == group[name][...]).all(), name
        assert (file["both"][4] == raw).all()
    assert sum(isinstance(ref, str) and ref.startswith("base64") for ref in refs["refs"].values()) == 3


def test_edges_that_are_stored_without_filters_are_right(tmp_path):
    """`H5Pset_chunk_opts`, which h5py cannot set."""
    import ctypes as c

    hdf5 = c.CDLL(h5py.h5d.__file__)
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk(CHUNK)
        dcpl.set_shuffle()
        dcpl.set_fill_value(np.array(0, "<i2"))
        assert hdf5.H5Pset_chunk_opts(c.c_int64(dcpl.id), 2) == 0
        h5py.h5d.create(file.id, b"a", h5py.h5t.STD_I16LE, h5py.h5s.create_simple(FRAMES.shape), dcpl)
        file["a"][...] = FRAMES
    assert (opened(dz.references(tmp_path / "a.h5"))["a"][...] == FRAMES).all()


def test_what_zarr_cannot_have_is_refused_by_name_or_left_out_with_a_warning(tmp_path, monkeypatch):
    write(tmp_path / "other.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["words"] = ["a", "b"]
        file["table"] = np.zeros(3, [("a", "i2"), ("b", "f4")])
        layout = h5py.VirtualLayout((9, 33, 47), "<i2")
        layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "contiguous", (9, 33, 47))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("scaled", data=FRAMES, chunks=CHUNK, scaleoffset=0)
        dataset = file.create_dataset("masked", data=FRAMES, chunks=(1, 33, 47), compression=darkchunk.LZ4())
        dataset.id.write_direct_chunk((0, 0, 0), FRAMES[0].tobytes(), 1)
        file["plain"] = np.arange(4)
    monkeypatch.setattr("darkchunk._references._MAX_INLINE", 1000)
    for name, why in {
        "words": "object",
        "table": "elements",
        "virtual": "other files",
        "scaled": "filter 6",
        "masked": "mask",
    }.items():
        with pytest.raises(darkchunk.UnsupportedError, match=f"/{name} .*{why}"):
            dz.references(tmp_path / "a.h5", datasets=[name])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        group = opened(dz.references(tmp_path / "a.h5"))
    assert len([one for one in caught if "left out" in str(one.message)]) == 5
    assert set(group) == {"plain"}


class Ranges(http.server.SimpleHTTPRequestHandler):
    """A web server that knows ranges, and counts."""

    protocol_version = "HTTP/1.1"
    sent = 0

    def do_GET(self):
        data = (self.server.folder / self.path.strip("/")).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2]), len(data) - 1)) if asked else (0, len(data) - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        if self.command == "GET":
            Ranges.sent += last + 1 - first
            self.wfile.write(data[first : last + 1])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def test_a_file_on_a_web_server_is_read_by_ranges(tmp_path):
    pytest.importorskip("aiohttp")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        noise = np.random.default_rng(1).integers(0, 30000, (50, 64, 64)).astype("<u2")
        file.create_dataset("a", data=noise, chunks=(1, 64, 64), compression=darkchunk.Bitshuffle())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
    server.folder = tmp_path
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/a.h5"
        array = opened(dz.references(tmp_path / "a.h5", url=url), "http")["a"]
        Ranges.sent = 0
        assert (array[17] == noise[17]).all()
        assert 0 < Ranges.sent < 20_000, "one frame of fifty"
        assert (array[...] == noise).all()
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("filter", FILTERS, ids=lambda one: f"{one.filter_name}-{one.filter_options}")
def test_the_codec_of_numcodecs_and_of_zarr_3(filter):
    chunk = FRAMES[:4]
    codec = numcodecs.get_codec(dz.Codec([filter], "<i2", chunk.shape).get_config())
    assert (np.frombuffer(codec.decode(codec.encode(chunk)), "<i2").reshape(chunk.shape) == chunk).all()
    out = np.empty_like(chunk)
    codec.decode(codec.encode(chunk), out=out)
    assert (out == chunk).all()
    assert numcodecs.get_codec(codec.get_config()) == codec
    configuration = {name: value for name, value in codec.get_config().items() if name != "id"}
    from zarr.registry import get_codec_class

    three = get_codec_class("darkchunk").from_dict({"name": "darkchunk", "configuration": configuration})
    array = zarr.create_array(
        {}, shape=FRAMES.shape, chunks=chunk.shape, dtype="<i2", compressors=[three], filters=None
    )
    array[...] = FRAMES
    again = zarr.open_array(array.store, mode="r", zarr_format=3)
    assert (again[...] == FRAMES).all() and (again[3:7, 5] == FRAMES[3:7, 5]).all()


def test_every_truncated_or_changed_chunk_is_an_error_or_a_whole_chunk():
    rng = np.random.default_rng(5)
    for filter in FILTERS:
        codec = dz.Codec([filter], "<i2", (33, 47))
        good = codec.encode(FRAMES[0])
        for _ in range(60):
            bad = bytearray(good[: rng.integers(0, len(good) + 1)] if rng.random() < 0.5 else good)
            for _ in range(int(rng.integers(0, 4))):
                if bad:
                    bad[rng.integers(0, len(bad))] = rng.integers(0, 256)
            with contextlib.suppress(darkchunk.Error):
                assert len(codec.decode(bytes(bad)).tobytes()) == 33 * 47 * 2


def test_kerchunk_finds_the_same_chunks(tmp_path):
    kerchunk = pytest.importorskip("kerchunk.hdf")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=FRAMES, chunks=(1, 33, 47), compression="gzip")
    theirs = kerchunk.SingleHdf5ToZarr(str(tmp_path / "a.h5"), inline_threshold=0).translate()["refs"]
    ours = dz.references(tmp_path / "a.h5")["refs"]
    keys = [key for key in theirs if re.fullmatch(r"a/[\d.]+", key)]
    assert len(keys) == 9 and all(ours[key] == theirs[key] for key in keys)
