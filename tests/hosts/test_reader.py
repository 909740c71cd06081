"""The C library's reader gives what h5py gives, beside it and at the same time."""

import ctypes
import ctypes.util
import os
import subprocess
import sys
import threading
import time

import h5py
import numpy as np
import pytest
from h5py import h5d, h5f, h5p

from common import CONFIGS, DATA, HERE, frames
from reader import BY_HDF5, DIRECT, MISSING_ERROR, Reader

PIXELS = frames(30, (33, 47))


def same(dataset, **options):
    """What the reader and h5py give is the same, bit by bit."""
    with Reader(dataset, **options) as reader:
        found, expected = reader.read(), np.asarray(dataset[...])
        assert found.tobytes() == expected.tobytes(), (dataset.name, reader.reason)
        return reader.info.way


@pytest.mark.parametrize("name", CONFIGS)
def test_every_filter_of_ours_is_read_directly(tmp_path, name):
    filter, values = CONFIGS[name]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunks = dict(chunks=(4, 33, 47), compression=filter, compression_opts=values)
        file.create_dataset("a", data=PIXELS, **chunks)
        parts = {**chunks, "chunks": (4, 20, 30)}
        file.create_dataset("parts", data=PIXELS, **parts)
    with h5py.File(tmp_path / "a.h5") as file:
        assert same(file["a"]) == same(file["parts"], n_threads=3) == DIRECT
        with Reader(file["parts"]) as reader:
            found = reader.read([3, 5, 1], [5, 7, 9], [5, 4, 5])
        assert (found == file["parts"][3:28:5, 5:33:4, 1:46:5]).all()


@pytest.mark.parametrize("latest", [False, True])
def test_filters_of_h5py_in_every_chain_and_every_type(tmp_path, latest):
    kinds = ["<i2", ">i2", ">u4", "<f8", "?", "S5", "<c8", [("a", "<i2"), ("b", ">f4", (3,))]]
    chains = [{}, {"shuffle": True}, {"compression": "lzf"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}]
    with h5py.File(tmp_path / "a.h5", "w", libver="latest" if latest else "earliest", userblock_size=1024) as file:
        for i, kind in enumerate(kinds):
            data = np.frombuffer(np.random.default_rng(i).bytes(np.dtype(kind).itemsize * 700), kind)
            data = (data.view("u1") % 2).view("?") if kind == "?" else data
            for k, chain in enumerate([None, *chains]):
                options = {} if chain is None else {"chunks": (9, 4), "maxshape": (None, 70), **chain}
                file.create_dataset(f"{i}/{k}", data=data[:700].reshape(10, 70), **options)
    with h5py.File(tmp_path / "a.h5") as file:
        ways = [same(file[f"{i}/{k}"]) for i in range(len(kinds)) for k in range(len(chains) + 1)]
    assert ways == [DIRECT] * len(ways)


def test_what_h5py_has_open_for_writing_is_read_through_it(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", data=PIXELS, chunks=(4, 33, 47), maxshape=(None, 33, 47))
        dataset[3] = 7
        assert same(dataset) == BY_HDF5


def test_links_to_other_files_and_virtual_datasets(tmp_path):
    with h5py.File(tmp_path / "source.h5", "w") as file:
        file.create_dataset("a", data=PIXELS, chunks=(1, 33, 47), compression="gzip")
    layout = h5py.VirtualLayout((40, 33, 47), PIXELS.dtype)
    layout[5:35] = h5py.VirtualSource("source.h5", "a", PIXELS.shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("source.h5", "/a")
        file.create_virtual_dataset("virtual", layout, fillvalue=3)
    with h5py.File(tmp_path / "a.h5") as file:
        assert (same(file["link"]), same(file["virtual"])) == (DIRECT, DIRECT)


@pytest.mark.parametrize("name", ["pytables_Tables_lzo1.h5", "pytables_Tables_lzo1_shuffle.h5"])
def test_tables_of_lzo_are_what_liblzo2_makes_of_them(name):
    path, library = DATA / "interop" / name, ctypes.util.find_library("lzo2")
    if not path.exists() or library is None:
        pytest.skip("needs DARKCHUNK_DATA and liblzo2")
    lzo = ctypes.CDLL(library)
    with h5py.File(path) as file:
        for dataset in (file["tuple0"], file["group0/tuple1"], file["group0/group1/tuple2"]):
            _, stored = dataset.id.read_direct_chunk((0,))
            n_bytes = dataset.chunks[0] * dataset.dtype.itemsize
            chunk, found = ctypes.create_string_buffer(n_bytes), ctypes.c_size_t(n_bytes)
            n_stored = ctypes.c_size_t(len(stored))
            assert lzo.lzo1x_decompress_safe(stored, n_stored, chunk, ctypes.byref(found), None) == 0
            expected = chunk.raw
            if "shuffle" in name:
                expected = np.frombuffer(expected, "u1").reshape(dataset.dtype.itemsize, -1).T.tobytes()
            with Reader(dataset) as reader:
                rows = reader.read()
            assert rows.tobytes() == expected[: rows.nbytes]


def test_threads_of_h5py_and_of_ours_at_the_same_time(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=PIXELS, chunks=(1, 33, 47), compression="gzip", shuffle=True)
    end, failed = time.monotonic() + 3, []

    def work(body):
        try:
            while time.monotonic() < end:
                assert (body() == PIXELS).all()
        except BaseException as error:
            failed.append(error)

    def opened():
        with Reader(file["a"], n_threads=3) as reader:
            return reader.read()

    with h5py.File(tmp_path / "a.h5") as file, Reader(file["a"]) as direct, Reader(file["a"], only_hdf5=True) as by_hdf5:
        bodies = [lambda: file["a"][...], direct.read, by_hdf5.read, opened] * 2
        threads = [threading.Thread(target=work, args=(body,)) for body in bodies]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert failed == []


WRITER = """
import sys, time, h5py, numpy as np
with h5py.File(sys.argv[1], "w", libver="latest") as file:
    options = dict(maxshape=(None, 40, 50), chunks=(1, 40, 50), dtype="u2", fillvalue=65535, compression="gzip")
    dataset = file.create_dataset("a", (0, 40, 50), **options)
    file.swmr_mode = True
    print("go", flush=True)
    for k in range(10**6):
        dataset.resize(k + 1, 0)
        dataset[k] = np.full((40, 50), k % 60000, "u2")
        if k % 5 == 4:
            dataset.flush()
        time.sleep(0.002)
"""


def open_growing(path):
    """By itself HDF5 waits for ever for what a kill has left half written."""
    access = h5p.create(h5p.FILE_ACCESS)
    assert ctypes.CDLL(h5d.__file__).H5Pset_metadata_read_attempts(ctypes.c_int64(access.id), 32) >= 0
    return h5py.File(h5f.open(os.fsencode(path), h5f.ACC_RDONLY | h5f.ACC_SWMR_READ, access))


def test_a_file_that_grows_never_shows_a_wrong_pixel_nor_a_hole_as_data(tmp_path):
    path = tmp_path / "a.h5"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "go\n"
        n_seen, n_missing, begin, end = 0, 0, time.monotonic(), None
        with open_growing(path) as file, Reader(file["a"], missing=MISSING_ERROR) as reader:
            # Until enough of it was seen; then the writer is killed, and it is read on for a while.
            while end is None or time.monotonic() < end:
                seconds = time.monotonic() - begin
                if end is None and (seconds > 120 or (seconds > 2.5 and n_seen > 50)):
                    writer.kill()
                    end = time.monotonic() + 1.5
                try:
                    reader.refresh()
                except OSError as error:
                    # The kill was amid a write.
                    assert end is not None and "incorrect metadata checksum" in str(error), error
                    break
                n_frames = reader.info.shape[0]
                for k in range(max(0, n_frames - 8), n_frames):
                    try:
                        frame = reader.read([k, 0, 0], [1, 40, 50])
                    except OSError as error:
                        assert error.errno == 12, error
                        n_missing += 1
                        continue
                    assert (frame == k % 60000).all(), k
                    n_seen = max(n_seen, k + 1)
            assert reader.info.way == DIRECT and n_seen > 50, (n_seen, n_missing, reader.reason)
    finally:
        writer.kill()
        writer.wait()


FORK = """
import os, sys
sys.path.insert(0, sys.argv[2])
import h5py, numpy as np
from reader import Reader
with h5py.File(sys.argv[1]) as file, Reader(file["a"], n_threads=3) as reader:
    expected = reader.read()
    child = os.fork()
    if child == 0:
        os._exit(0 if all((reader.read() == expected).all() for _ in range(20)) else 1)
    assert (reader.read() == expected).all()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_that_was_forked_reads_on(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=PIXELS, chunks=(1, 33, 47), compression="gzip")
    command = [sys.executable, "-c", FORK, str(tmp_path / "a.h5"), str(HERE)]
    assert subprocess.run(command, timeout=300, env=os.environ).returncode == 0
