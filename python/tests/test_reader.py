"""`open` and `Dataset`: equal to h5py for every file, selection and type; and what is not direct is said."""

import contextlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from itertools import product

import h5py
import numpy as np
import pytest
import support
from support import FILTERS, frames, python

import darkchunk
from darkchunk import _keys

N_CASES = 5000 if support.IS_FULL else 150
DTYPES = ["<i2", ">i2", "u1", "<u2", ">i4", "<u4", "<i8", "<f4", ">f8", "<c8", "?", "S3", [("a", "<i2"), ("b", ">f4")]]


def values(rng, shape, dtype):
    """Numbers of few distinct bytes, so that every filter has something to do."""
    dtype = np.dtype(dtype)
    if dtype.names:
        out = np.zeros(shape, dtype)
        for name in dtype.names:
            out[name] = values(rng, shape, dtype[name])
        return out
    numbers = np.where(rng.random(shape) < 0.3, rng.integers(0, 100, shape), 0)
    return numbers.astype(str).astype(dtype) if dtype.kind == "S" else numbers.astype(dtype)


def random_file(path, rng):
    """A file with one dataset `a` of random shape, type, layout, filters, holes and masks."""
    rank = int(rng.integers(1, 5))
    shape = tuple(rng.integers(1, 14, rank).tolist())
    dtype = np.dtype(DTYPES[rng.integers(0, len(DTYPES))])
    options = {}
    if rng.random() < 0.9:
        options["chunks"] = tuple(int(rng.integers(1, n + 1)) for n in shape)
        options["maxshape"] = tuple(n if rng.random() < 0.5 else None for n in shape)
        options["shuffle"], options["fletcher32"] = bool(rng.random() < 0.2), bool(rng.random() < 0.2)
        kinds = [None, "gzip", "lzf", *FILTERS]
        kind = kinds[rng.integers(0, len(kinds))]
        # DRLE is for 16-bit integers, and stands first.
        name = getattr(kind, "filter_name", "")
        most = {"drle": (2, 2), "bounded": (1, 4)}.get(name)
        is_integer = dtype.kind in "iu" and most is not None and most[0] <= dtype.itemsize <= most[1]
        # DRLE and the bounded codec stand first.
        fits = most is None or (is_integer and not options["shuffle"])
        options["compression"] = kind if fits else darkchunk.Zstd()
    if dtype.kind in "iuf" and rng.random() < 0.3:
        options["fillvalue"] = 7
    libver = ["earliest", "v110", "latest"][rng.integers(0, 3)]
    with h5py.File(path, "w", libver=libver, userblock_size=int(rng.choice([0, 512]))) as file:
        dataset = file.create_dataset("a", shape, dtype, **options)
        for _ in range(int(rng.integers(0, 4))):
            place = tuple(slice(*sorted(rng.integers(0, n + 1, 2).tolist())) for n in shape)
            dataset[place] = values(rng, dataset[place].shape, dtype)
        if options.get("chunks") and rng.random() < 0.2:
            raw = values(rng, options["chunks"], dtype).tobytes()
            n_filters = dataset.id.get_create_plist().get_nfilters()
            dataset.id.write_direct_chunk((0,) * rank, raw, filter_mask=(1 << n_filters) - 1)
        if rng.random() < 0.15:
            file.move("a", "source")
            layout = h5py.VirtualLayout((2, *shape), dtype)
            layout[int(rng.integers(0, 2))] = h5py.VirtualSource(".", "source", shape, dtype)
            file.create_virtual_dataset("a", layout)
            shape = (2, *shape)
    return shape


def random_key(rng, shape):
    def one(n):
        kind = rng.integers(0, 5)
        if kind == 0:
            return int(rng.integers(-n, n))
        if kind == 1 and rng.random() < 0.3:
            return sorted(rng.choice(n, rng.integers(1, n + 1), replace=False).tolist())
        low, high = sorted(rng.integers(0, n + 1, 2).tolist())
        return slice(low, high, int(rng.integers(1, 4)))

    keys = [one(n) for n in shape]
    lists = [index for index, key in enumerate(keys) if isinstance(key, list)]
    for index in lists[1:]:
        keys[index] = slice(None)
    if rng.random() < 0.2:
        keys = keys[: rng.integers(0, len(keys) + 1)]
    return tuple(keys)


def same(one, other):
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def test_random_files_and_selections_are_read_as_h5py_reads_them(tmp_path):
    ways = Counter()
    for seed in range(N_CASES):
        rng = np.random.default_rng(seed)
        path = tmp_path / "file.h5"
        shape = random_file(path, rng)
        with h5py.File(path) as file, darkchunk.open(path, "/a", threads=int(rng.integers(1, 4))) as dataset:
            ways[dataset.way] += 1
            assert (dataset.shape, dataset.dtype) == (file["a"].shape, file["a"].dtype)
            assert same(dataset[...], file["a"][...]), seed
            for key in [random_key(rng, shape) for _ in range(4)]:
                expected = file["a"][key]
                assert same(dataset[key], expected), (seed, key, dataset)
                if expected.shape:
                    out = (
                        np.full(expected.shape[::-1], 1, expected.dtype).T
                        if expected.dtype.kind != "V"
                        else np.empty_like(expected)
                    )
                    dataset.read_into(out, key)
                    assert same(np.ascontiguousarray(out), expected), (seed, key)
    assert ways["direct"] > N_CASES / 2, ways


@pytest.fixture
def path(tmp_path):
    """A file that NeXus's attributes lead through, with holes, and one frame that is never stored."""
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["default"] = "data"
        data = entry.create_group("data")
        data.attrs["signal"] = "frames"
        dataset = data.create_dataset(
            "frames",
            (40, 33, 47),
            "<i2",
            chunks=(1, 33, 47),
            compression=darkchunk.Bitshuffle(),
            maxshape=(None, 33, 47),
            fillvalue=-1,
        )
        dataset[:39] = frames(shape=(39, 33, 47))
        dataset.attrs["unit"] = "counts"
        file.create_dataset("plain", data=np.arange(30).reshape(5, 6))
        file.create_dataset("words", data=["a", "bc"], dtype=h5py.string_dtype())
        file.create_dataset("number", data=3.5)
    return path


def test_the_default_dataset_is_found_and_described(path):
    with darkchunk.open(path) as dataset:
        assert dataset.name == "/entry/data/frames" and dataset.path == str(path)
        assert dataset.shape == (40, 33, 47) and dataset.ndim == 3 and len(dataset) == 40
        assert dataset.chunks == (1, 33, 47) and dataset.filters == (darkchunk.Bitshuffle(),)
        assert dataset.attrs == {"unit": "counts"} and dataset.way == "direct" and dataset.reason == ""
        assert dataset.nbytes == 2 * dataset.size and 0 < dataset.stored_nbytes < dataset.nbytes
        assert same(np.asarray(dataset), dataset[...])
        assert "'/entry/data/frames'" in repr(dataset) and "direct" in repr(dataset)
    assert "closed" in repr(dataset)


def test_what_only_hdf5_reads_is_right_and_said(path):
    with darkchunk.open(path, "number") as dataset:
        assert dataset[()] == 3.5
    with darkchunk.open(path, "words") as dataset:
        assert dataset.way == "hdf5" and dataset.reason
        assert dataset[:].tolist() == [b"a", b"bc"]
    with h5py.File(path, "r+") as file, darkchunk.from_h5py(file["entry/data/frames"]) as dataset:
        file["entry/data/frames"][0] = 5
        assert dataset.way != "direct" and "writ" in dataset.reason
        assert (dataset[0] == 5).all()


def test_virtual_datasets_and_links_to_other_files(path, tmp_path):
    layout = h5py.VirtualLayout((40, 33, 47), "<i2")
    layout[...] = h5py.VirtualSource(str(path), "entry/data/frames", (40, 33, 47))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("a", layout)
        file["b"] = h5py.ExternalLink(str(path), "/entry/data/frames")
    for name in "ab":
        with darkchunk.open(tmp_path / "virtual.h5", name) as dataset, h5py.File(path) as file:
            assert dataset.way == "direct"
            assert same(dataset[3:9, ::2], file["entry/data/frames"][3:9, ::2])


def test_virtual_datasets_of_every_kind_are_equal_to_h5py_and_leave_its_files_open(path, tmp_path):
    """Modules beside each other with a gap, frames of several files, and what only HDF5 reads."""
    stack = frames(shape=(12, 33, 47))
    for number in range(3):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file.create_dataset("a", data=stack[number * 4 : number * 4 + 4], chunks=(1, 33, 47), compression="gzip")
            file["b"] = stack[number * 4 : number * 4 + 4].astype(">i4")
    source = [h5py.VirtualSource(f"part{number}.h5", "a", (4, 33, 47)) for number in range(3)]

    def layout(shape, dtype="<i2", **parts):
        made = h5py.VirtualLayout(shape, dtype)
        for place, part in parts.values():
            made[place] = part
        return made

    frame, all_of = np.s_[:, :, :], lambda n: np.s_[n * 4 : n * 4 + 4]
    kinds = {
        "frames": ("direct", layout((12, 33, 47), **{f"p{n}": (all_of(n), source[n]) for n in range(3)})),
        "modules": ("direct", layout((4, 3, 33, 50), **{f"p{n}": (np.s_[:, n, :, 3:], source[n]) for n in (0, 2)})),
        "window": ("direct", layout((2, 9), p=(np.s_[:, :], source[1][1:3, 7, 5:14]))),
        "turns": ("direct", layout((8, 33, 47), p=(np.s_[::2], source[0]), q=(np.s_[1::2], source[2]))),
        "steps": ("hdf5", layout((2, 33, 47), p=(frame, source[0][::2]))),
        "converted": ("hdf5", layout((4, 33, 47), p=(frame, h5py.VirtualSource("part1.h5", "b", (4, 33, 47), ">i4")))),
        "missing": ("hdf5", layout((4, 33, 47), p=(frame, h5py.VirtualSource("none.h5", "a", (4, 33, 47))))),
        "twice": ("hdf5", layout((4, 33, 47), p=(frame, source[0]), q=(np.s_[2:4], source[1][:2]))),
    }
    with h5py.File(tmp_path / "virtual.h5", "w", libver="latest") as file:
        for name, (_, made) in kinds.items():
            file.create_virtual_dataset(name, made, fillvalue=-3)
    with h5py.File(tmp_path / "part0.h5") as held, h5py.File(tmp_path / "virtual.h5") as file:
        for name, (way, _) in kinds.items():
            with darkchunk.from_h5py(file[name], threads=2) as dataset:
                assert (dataset.way, dataset.reason == "") == (way, way == "direct"), (name, dataset.reason)
                whole = file[name][...]
                assert same(dataset[...], whole), name
                assert same(dataset[1:, ::2], whole[1:, ::2]) and same(dataset[-1], whole[-1]), name
                out = np.zeros(whole.shape[::-1], whole.dtype).T
                dataset.read_into(out)
                assert same(out, whole), name
        assert same(held["a"][...], stack[:4]), "a file that h5py holds stays open"


def test_a_row_decodes_its_blocks_alone_and_the_statistics_say_so(tmp_path):
    stack = frames("<u4", (3, 400, 500))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("a", data=stack, chunks=(1, 400, 500), compression=darkchunk.Bitshuffle())
    with darkchunk.open(tmp_path / "rows.h5", "a", threads=2) as dataset:
        assert same(dataset[:, 123], stack[:, 123])
        first = dataset.statistics
        assert (first.whole_chunks, first.partial_chunks) == (0, 3) and 3 <= first.partial_blocks <= 6
        assert same(dataset[:, 321], stack[:, 321])
        read = dataset.statistics.read_bytes - first.read_bytes
        assert 0 < read < first.read_bytes / 20, "where the blocks are is known"


def test_a_chunk_that_was_never_stored_is_filled_an_error_or_masked(path):
    with darkchunk.open(path) as dataset:
        assert (dataset[39] == -1).all()
    with darkchunk.open(path, missing="raise") as dataset:
        assert same(dataset[38], frames(shape=(39, 33, 47))[38])
        with pytest.raises(darkchunk.MissingError):
            dataset[38:]
    with darkchunk.open(path, missing="mask") as dataset:
        found = dataset[37:, 3]
        assert found.mask.all(axis=1).tolist() == [False, False, True] and not found.mask[:2].any()
    with pytest.raises(ValueError, match="missing"):
        darkchunk.open(path, missing="ignore")


def test_backwards_lists_and_single_numbers(path):
    with h5py.File(path) as file, darkchunk.open(path) as dataset:
        whole = file["entry/data/frames"][...]
        for key in [
            np.s_[::-1],
            np.s_[5:1:-2, ::-3, -1],
            np.s_[[30, 2, 2, -1]],
            np.s_[:, [32, 3]],
            np.s_[..., -1],
            7,
            np.s_[3, 4, 5],
        ]:
            assert same(dataset[key], whole[key]), key
        for key in [np.s_[3, :, [1, 2]], np.s_[[0, 39], ::2, 3], np.s_[-1, 5:9, [46]]]:
            assert same(dataset[key], file["entry/data/frames"][key]), "a list's axis stays, as in h5py"
        assert isinstance(dataset[3, 4, 5], np.int16)
        assert same(dataset[np.arange(40) % 3 == 0], whole[::3])


def test_frames_come_in_order_with_and_without_memory_of_their_own(path):
    with h5py.File(path) as file, darkchunk.open(path) as dataset:
        whole = file["entry/data/frames"][...]
        for arguments in [(), (3, 20), (0, None, 7), (39, None, -2), (5, 5)]:
            for prefetch in (1, 4, 100):
                kept = dict(dataset.iter_frames(*arguments, prefetch=prefetch))
                assert list(kept) == list(range(40))[slice(*arguments)] if arguments else len(kept) == 40
                assert all(same(frame, whole[index]) for index, frame in kept.items())
                for index, frame in dataset.iter_frames(*arguments, prefetch=prefetch, reuse=True):
                    assert same(frame, whole[index])
        for index, _ in dataset.iter_frames():
            if index == 3:
                break
        with pytest.raises(ValueError, match="prefetch"):
            dataset.iter_frames(prefetch=0)


def test_many_threads_and_h5py_beside_them(path):
    with h5py.File(path) as file, darkchunk.open(path, threads=2) as dataset:
        whole, errors, until = file["entry/data/frames"][...], [], time.monotonic() + (20 if support.IS_FULL else 2)

        def read(work):
            try:
                while time.monotonic() < until:
                    assert same(work(), whole)
            except Exception as error:
                errors.append(error)

        works = [lambda: dataset[...], lambda: file["entry/data/frames"][...]] * 3
        threads = [threading.Thread(target=read, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors


def test_closing_waits_for_other_threads_and_then_they_are_refused(path):
    for _ in range(20):
        dataset, done = darkchunk.open(path, threads=2), []

        def read(dataset=dataset, done=done):
            try:
                while True:
                    dataset[...]
            except darkchunk.UnsupportedError as error:
                done.append(str(error))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        frames_of_it = dataset.iter_frames()
        next(frames_of_it)
        time.sleep(0.005)
        dataset.close()
        for thread in threads:
            thread.join()
        assert done == ["the dataset is closed"] * 3
        with pytest.raises(darkchunk.UnsupportedError, match="closed"):
            list(frames_of_it)


def test_a_python_thread_goes_on_counting_while_frames_are_decoded(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        noise = np.random.default_rng(1).integers(0, 1000, (1, 1000, 1000)).astype("<i2")
        dataset = file.create_dataset(
            "a", (100, 1000, 1000), "<i2", chunks=(1, 1000, 1000), compression=darkchunk.Zstd()
        )
        dataset[0] = noise
        mask, chunk = dataset.id.read_direct_chunk((0, 0, 0))
        for index in range(1, 100):
            dataset.id.write_direct_chunk((index, 0, 0), chunk, mask)
    counted, done, rates = [0], threading.Event(), []

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    with darkchunk.open(tmp_path / "file.h5", threads=1) as dataset:
        thread.start()
        # On a busy machine the thread may have no processor for a while: then once more.
        while len(rates) < 20 and not any(rate > 20 for rate in rates):
            start, before = time.monotonic(), counted[0]
            found = dataset[...]
            rates.append((counted[0] - before) / (time.monotonic() - start))
        done.set()
        thread.join()
    assert (found == noise).all()
    assert max(rates) > 20, rates


def total(dataset):
    return int(dataset[:10].sum()), os.getpid()


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_it_is_pickled_and_read_in_other_processes(path, method):
    with darkchunk.open(path) as dataset:
        expected = dataset[:10].sum()
        again = pickle.loads(pickle.dumps(dataset))
        assert same(again[...], dataset[...])
        again.close()
        with multiprocessing.get_context(method).Pool(2) as pool:
            found = pool.map(total, [dataset] * 4)
        assert {one for one, _ in found} == {expected} and os.getpid() not in {pid for _, pid in found}


def test_the_callers_file_stays_open_and_outlives_ours(path):
    with h5py.File(path) as file:
        held = file["entry/data/frames"]
        with darkchunk.open(path) as dataset:
            assert same(dataset[0], held[0])
        assert held and same(held[1], frames(shape=(39, 33, 47))[1])
        dataset = darkchunk.open(path)
    # h5py has closed all that is open of the file; what is read directly needs none of it, the rest is an error.
    for key in (2, "x"):
        with contextlib.suppress(darkchunk.Error, OSError, ValueError):
            assert same(dataset[key], frames(shape=(39, 33, 47))[2])
    dataset.close()


def test_a_growing_file_is_refreshed(tmp_path):
    path = tmp_path / "grows.h5"
    data = frames(shape=(12, 33, 47))
    with h5py.File(path, "w", libver="latest") as file:
        dataset = file.create_dataset(
            "a", (4, 33, 47), "<i2", chunks=(1, 33, 47), maxshape=(None, 33, 47), compression=darkchunk.LZ4()
        )
        dataset[:] = data[:4]
        file.swmr_mode = True
        code = """
import sys, darkchunk, numpy as np
with darkchunk.open(sys.argv[1], "a", swmr=True) as dataset:
    print(dataset.shape[0], int(dataset[...].sum()), dataset.way, flush=True)
    sys.stdin.readline()
    print(dataset.refresh()[0], int(dataset[...].sum()), flush=True)
"""
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            env=support.environment(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdout.readline().split() == ["4", str(data[:4].sum()), "direct"]
        dataset.resize(12, 0)
        dataset[4:] = data[4:]
        dataset.flush()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().split() == ["12", str(data.sum())]
        assert child.wait() == 0


def test_a_refresh_amid_frames_waits_for_the_next_ones(tmp_path):
    code = """
import sys, threading, time, h5py, numpy as np, darkchunk
data = np.arange(200 * 64 * 64, dtype="u2").reshape(200, 64, 64)
with h5py.File(sys.argv[1], "w") as file:
    file.create_dataset("a", data=data, chunks=(1, 64, 64), compression="gzip")
dataset, errors, until = darkchunk.open(sys.argv[1], "a", threads=2), [], time.monotonic() + 5
assert dataset.way == "direct"

def read():
    try:
        while time.monotonic() < until:
            assert (dataset[::20] == data[::20]).all() and dataset.reason == ""
    except BaseException as error:
        errors.append(error)

threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
n = 0

def is_over():
    return time.monotonic() > (until if n > 100 else until + 90)

while not is_over():
    for index, frame in dataset.iter_frames(prefetch=2):
        assert (frame == data[index]).all() and dataset.refresh() == data.shape
        n += 1
        if is_over():
            break
for thread in threads:
    thread.join()
dataset.close()
assert not errors and n > 100, (errors, n)
"""
    done = python(code, tmp_path / "file.h5")
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr}"


def test_frames_keep_their_shape_when_the_dataset_grows_sideways(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        held = file.create_dataset("a", (6, 4, 5), "<i4", chunks=(1, 4, 5), maxshape=(None, None, None))
        held[...] = np.arange(120).reshape(6, 4, 5)
        with darkchunk.from_h5py(held) as dataset:
            found = dataset.iter_frames(prefetch=1)
            next(found)
            held.resize((8, 40, 50))
            assert dataset.refresh() == (8, 40, 50)
            rest = dict(found)
            assert list(rest) == [1, 2, 3, 4, 5]
            assert all(same(frame, np.arange(120, dtype="<i4").reshape(6, 4, 5)[n]) for n, frame in rest.items())


def peak(work):
    """The most bytes that Python and numpy held meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_list_takes_no_memory_for_what_lies_between(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        held = file.create_dataset("a", (1000, 512, 1024), "<u2", chunks=(10, 64, 1024))
        held[500, 100, 7] = 3
    with darkchunk.open(tmp_path / "file.h5", "a", threads=1) as dataset:
        rows = list(range(0, 1000, 10))
        wanted = len(rows) * 512 * 1024 * 2
        found = []
        assert peak(lambda: found.append(dataset[rows])) < 1.2 * wanted
        assert found[0].sum(dtype=int) == 3 and found[0][50, 100, 7] == 3


def test_a_list_within_one_deep_chunk_is_read_in_pieces_of_whole_chunks(tmp_path, monkeypatch):
    shape = (200, 90, 70)
    data = np.random.default_rng(3).integers(0, 1000, shape).astype("<u2")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("a", data=data, chunks=(100, 16, 8), compression=darkchunk.LZ4())
    most = 100 * 16 * 8 * 2
    monkeypatch.setattr(_keys, "_MAX_PART", most)
    with darkchunk.open(tmp_path / "file.h5", "a") as dataset:
        keys = [
            np.s_[[0, 99]],
            np.s_[[199, 3, 3, 100, 99, 98], ::-3, 5:],
            np.s_[[0, 150, 90], 7:80:2, ::-1],
            np.s_[::-2, [80, 0, 1, 15, 16], 3],
            np.s_[:, ::-1, [69, 0]],
        ]
        for key in keys:
            chosen = _keys.selection(key, shape)
            parts = _keys.parts(chosen, dataset.chunks, 2)
            assert all(2 * np.prod(part.block.count) <= most for part in parts) and len(parts) > 1
            chunks = Counter(place for part in parts for place in places_of(part.block, dataset.chunks))
            assert max(chunks.values()) == 1, key
            assert same(dataset[key], data[key]), key


def places_of(block, chunks):
    """The chunks that a block touches."""
    axes = zip(block.start, block.count, block.step, chunks, strict=True)
    return product(*({(start + n * step) // dim for n in range(count)} for start, count, step, dim in axes))


BAD = {
    "no file": (OSError, lambda path: darkchunk.open("nothing.h5")),
    "no dataset": (KeyError, lambda path: darkchunk.open(path, "nothing")),
    "a group": (TypeError, lambda path: darkchunk.open(path, "entry")),
    "several": (darkchunk.UnsupportedError, lambda path: darkchunk.open(without_default(path))),
    "no threads": (ValueError, lambda path: darkchunk.open(path, threads=0)),
    "from a file": (TypeError, lambda path: darkchunk.from_h5py(h5py.File(path))),
    "outside": (IndexError, lambda path: darkchunk.open(path)[40]),
    "too many": (IndexError, lambda path: darkchunk.open(path)[0, 0, 0, 0]),
    "into a list": (TypeError, lambda path: darkchunk.open(path).read_into([1], 0)),
    "into another type": (TypeError, lambda path: darkchunk.open(path).read_into(np.empty((33, 47)), 0)),
    "into another shape": (ValueError, lambda path: darkchunk.open(path).read_into(np.empty((3, 47), "<i2"), 0)),
    "into read-only": (ValueError, lambda path: darkchunk.open(path).read_into(read_only(), 0)),
    "into itself": (
        ValueError,
        lambda path: darkchunk.open(path).read_into(np.broadcast_to(np.empty(47, "<i2"), (33, 47)), 0),
    ),
    "overlapping": (ValueError, lambda path: darkchunk.open(path).read_into(overlapping(), 0)),
    "closed": (darkchunk.UnsupportedError, lambda path: closed(path)[0]),
    "length of a number": (TypeError, lambda path: len(darkchunk.open(path, "number"))),
}


def read_only():
    out = np.empty((33, 47), "<i2")
    out.flags.writeable = False
    return out


def overlapping():
    return np.lib.stride_tricks.as_strided(np.empty(100, "<i2"), (33, 47), (2, 2), writeable=True)


def closed(path):
    dataset = darkchunk.open(path)
    dataset.close()
    dataset.close()
    return dataset


def without_default(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["default"]
    return path


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_an_error_that_says_why(path, what):
    kind, work = BAD[what]
    with pytest.raises(kind, match="."):
        work(path)


def test_a_damaged_chunk_is_an_error_and_the_others_are_read(path):
    with h5py.File(path) as file:
        where = file["entry/data/frames"].id.get_chunk_info(5)
    with open(path, "r+b") as file:
        file.seek(where.byte_offset + 12)
        file.write(b"\xff" * 200)
    with darkchunk.open(path) as dataset:
        assert same(dataset[6], frames(shape=(39, 33, 47))[6])
        with pytest.raises(darkchunk.Error, match="."):
            dataset[where.chunk_offset[0]]


def test_ctrl_c_ends_a_long_read(tmp_path):
    code = """
import sys, os, signal, threading, time, numpy as np, h5py, darkchunk
# A shell gives its background jobs a SIGINT that is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with h5py.File(sys.argv[1], "w") as file:
    file.create_dataset("a", (4000, 1000, 1000), "<i2", chunks=(1, 1000, 1000), compression=darkchunk.Zstd())
    data = np.random.default_rng(1).integers(0, 1000, (1, 1000, 1000)).astype("<i2")
    file["a"][0] = data
    mask, chunk = file["a"].id.read_direct_chunk((0, 0, 0))
    for index in range(1, 300):
        file["a"].id.write_direct_chunk((index, 0, 0), chunk, mask)
dataset = darkchunk.open(sys.argv[1], "a", threads=1)
timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    timer.start()
    dataset[:300, ::1, ::1]
    # The signal may come now.
    timer.join()
    time.sleep(60)
except KeyboardInterrupt:
    print(dataset.statistics.whole_chunks)
assert (dataset[0] == data[0]).all()
"""
    # One that was done before the signal came is tried again.
    n_decoded = []
    while len(n_decoded) < 10 and not any(n < 300 for n in n_decoded):
        done = python(code, tmp_path / f"{len(n_decoded)}.h5")
        assert done.returncode == 0, done.stderr
        n_decoded.append(int(done.stdout))
        (tmp_path / f"{len(n_decoded) - 1}.h5").unlink()
    assert min(n_decoded) < 300, n_decoded


def test_where_there_are_many_datasets_the_error_says_how_many_more(tmp_path):
    with h5py.File(tmp_path / "many.h5", "w") as file:
        for number in range(13):
            file[f"d{number:02}"] = [number]
    with pytest.raises(darkchunk.UnsupportedError, match=r"There are: d00, .*, d09 and 3 more$"):
        darkchunk.open(tmp_path / "many.h5")
