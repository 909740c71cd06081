"""`darkchunk.slices.run`: Python functions over slices, beside numpy."""

import os
import signal
import subprocess
import sys
import threading
import time

import h5py
import numpy as np
import pytest
from support import FILTERS, environment, sample

import darkchunk
from darkchunk import slices

IMAGES = np.random.default_rng(22).integers(0, 900, (12, 37, 20)).astype("<u2")


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=IMAGES, chunks=(5, 8, 20), compression=darkchunk.Bitshuffle())
        file["dark"] = IMAGES[0].astype(">u2")
        file["angles"] = np.arange(12.0)
    return path


def test_each_slice_is_handed_in_once_with_its_place_and_cannot_be_written_to(scan):
    seen = {}

    def look(image, dark, angles, place):
        assert image.ctypes.data % 64 == 0 and not image.flags.writeable and not image.flags.owndata
        assert image.dtype == "u2" and (dark == IMAGES[0, place[0]]).all() and (angles == np.arange(12)).all()
        with pytest.raises(ValueError, match="read-only"):
            image[0] = 1
        assert place not in seen
        seen[place] = image.copy()

    inputs = {"/entry/data": (0, 1), "dark": (1,), "angles": (0,)}
    found = slices.run(scan, look, inputs, place=True, workers=3)
    assert (found.shape, found.done, found.failed, found.nbytes) == (
        (37,),
        37,
        0,
        IMAGES.nbytes + IMAGES[0].nbytes + 96,
    )
    assert sorted(seen) == [(row,) for row in range(37)]
    assert all((image == IMAGES[:, row]).all() for (row,), image in seen.items())
    assert found.read_bytes and found.decoded_bytes >= found.nbytes and found.memory < 2e9


@pytest.mark.parametrize(
    ("map_", "axes"), [((1,), (0,)), ((0, 1), (1,)), ((2, 1), (1, 0)), ((0, 2, 1), (2, 1)), ((1, 2, 3), (0, 1, 2))]
)
def test_outputs_are_what_the_function_returns_with_any_number_of_threads(scan, tmp_path, map_, axes):
    rest = tuple(axis for axis in range(3) if axis not in axes)
    places = [-(axis + 1) for axis in range(len(axes))]
    outputs = {"sum": ("i8", places), "out/twice": ("f4", [*places, *(IMAGES.shape[axis] for axis in rest)])}

    def both(image):
        return image.sum(), image * 2

    made = set()
    for workers in (1, 2, 4):
        to = tmp_path / f"{workers}.h5"
        slices.run(scan, both, {"entry/data": map_}, outputs, to, workers=workers)
        made.add(to.read_bytes())
        with h5py.File(to) as file:
            assert (file["sum"][:] == IMAGES.sum(axis=rest).transpose(np.argsort(np.argsort(axes)))).all()
            assert (file["out/twice"][:] == IMAGES.transpose(*axes, *rest) * 2).all()
            process = file["entry/process"]
            assert process["library_name"].asstr()[()].endswith("both") and process["library"].asstr()[()] == __file__
            assert not process["status"][:].any()
    assert len(made) == 1, "the same bytes with any number of threads"


def test_padding_and_blocks_have_a_first_axis(scan, tmp_path):
    def smooth(images):
        assert images.shape[1:] == (12, 20)
        return np.stack([images[at : at + 3].mean(axis=0) for at in range(len(images) - 2)])

    to = tmp_path / "smooth.h5"
    shapes = {"smooth": ("f8", (-1, 12, 20))}
    slices.run(scan, smooth, {"entry/data": (0, 1)}, shapes, to, padding=1, block=5, workers=2)
    padded = np.pad(IMAGES.transpose(1, 0, 2), ((1, 1), (0, 0), (0, 0)), mode="edge").astype(float)
    with h5py.File(to) as file:
        assert np.allclose(file["smooth"][:], (padded[:-2] + padded[1:-1] + padded[2:]) / 3)


def test_slices_are_skipped_and_a_run_stops(scan, tmp_path):
    def some(image, place, last):
        row = place[0]
        return slices.SKIP if row == 3 else slices.STOP if row == last else row + 1

    to = tmp_path / "some.h5"
    found = slices.run(
        scan, some, {"entry/data": (0, 1)}, {"row": ("u1", (-1,))}, to, place=True, arguments={"last": 20}
    )
    assert (found.done, found.skipped, found.not_reached) == (19, 1, 17)
    with h5py.File(to) as file:
        expected = [0 if row == 3 or row >= 20 else row + 1 for row in range(37)]
        assert file["row"][:].tolist() == expected
        assert file["entry/process/arguments"].asstr()[:].tolist() == ["last=20", "place=True"]


def fails(image, place):
    if place[0] in (11, 13):
        raise KeyError(f"row {place[0]}")
    return image.mean()


@pytest.mark.parametrize("workers", [1, 3])
def test_an_exception_names_the_first_slice_and_leaves_no_file(scan, tmp_path, workers):
    how = [scan, fails, {"entry/data": (0, 1)}, {"mean": ("f8", (-1,))}, tmp_path / "mean.h5"]
    with pytest.raises(darkchunk.SliceError, match=r"slice 11, at \(11,\): KeyError: 'row 11'") as caught:
        slices.run(*how, place=True, workers=workers)
    assert caught.value.slice == 11 and caught.value.place == (11,) and isinstance(caught.value.__cause__, KeyError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.h5"]
    found = slices.run(*how, place=True, workers=workers, keep_going=True)
    assert (found.done, found.failed, found.failure.slice) == (35, 2, 11)
    with h5py.File(tmp_path / "mean.h5") as file:
        assert np.flatnonzero(file["entry/process/status"][:]).tolist() == [11, 13]


@pytest.mark.parametrize(
    ("returned", "outputs", "words"),
    [
        (np.zeros((3, 3)), {"x": ("f8", (-1, 2, 2))}, r"x is to have the shape \(2, 2\); returned was \(3, 3\)"),
        (1.5, {"x": ("i4", (-1,))}, "Cannot cast"),
        (300, {"x": ("u1", (-1,))}, "x is of uint8; returned were 300 to 300"),
        (1, {"x": ("i4", (-1,)), "y": ("i4", (-1,))}, "a tuple of 2 arrays"),
        (None, {"x": ("f8", (-1,))}, "Cannot cast"),
    ],
)
def test_what_does_not_fit_an_output_is_an_error(scan, tmp_path, returned, outputs, words):
    with pytest.raises(darkchunk.SliceError, match=words):
        slices.run(scan, lambda image: returned, {"entry/data": (0, 1)}, outputs, tmp_path / "x.h5")


def test_a_slice_that_is_kept_is_an_error_and_a_copy_is_not(scan):
    kept = []
    with pytest.raises(darkchunk.SliceError, match="keeps a slice"):
        slices.run(scan, lambda image: kept.append(image[::2]), {"entry/data": (0, 1)}, workers=1)
    kept.clear()
    assert slices.run(scan, lambda image: kept.append(image.copy()), {"entry/data": (0, 1)}).done == len(kept) == 37


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"inputs": {}}, darkchunk.ArgumentError, "at least one input"),
        ({"inputs": {"none": (1,)}}, darkchunk.ArgumentError, "has no dataset none"),
        ({"inputs": {"entry/data": (0,)}}, darkchunk.ArgumentError, "no input is sliced"),
        ({"inputs": {"entry/data": (1, 0, 0, 0)}}, darkchunk.ArgumentError, "has 3 axes, its slicing map 4"),
        ({"inputs": {"entry/data": (1,), "dark": (1,)}}, darkchunk.ArgumentError, "equally long"),
        ({"outputs": {"x": ("f8", (3,))}, "to": "x"}, darkchunk.ArgumentError, "one of its axes must be -1"),
        ({"outputs": {"x": ("f2", (-1,))}, "to": "x"}, darkchunk.ArgumentError, "float32 or float64"),
        ({"outputs": {"x": ("f8", (-1,))}}, darkchunk.ArgumentError, "which file they go to"),
        ({"memory": 1000}, darkchunk.ArgumentError, "MB of memory are too few"),
        ({"workers": 0}, ValueError, "workers is 0"),
        ({"padding": -1}, ValueError, "padding is -1"),
        ({"function": 3}, TypeError, "a function is needed"),
        ({"path": "nowhere.h5"}, OSError, "nowhere.h5"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(scan, tmp_path, change, error, words):
    given = {"path": scan, "function": np.sum, "inputs": {"entry/data": (1,)}} | change
    if "to" in given:
        given["to"] = tmp_path / given["to"]
    with pytest.raises(error, match=words):
        slices.run(**given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.h5"]


def test_a_file_that_is_there_is_not_replaced(scan, tmp_path):
    to = tmp_path / "x.h5"
    to.write_text("something")
    with pytest.raises(darkchunk.ArgumentError, match="is there already"):
        slices.run(scan, np.sum, {"entry/data": (1,)}, {"x": ("u8", (-1,))}, to)
    assert to.read_text() == "something"


def test_the_function_may_use_h5py_and_other_threads_too(scan, tmp_path):
    """HDF5 is in one thread at a time, and nobody waits for ever."""
    is_over = threading.Event()

    def reads():
        while not is_over.is_set():
            with h5py.File(scan) as file:
                assert (file["dark"][:] == IMAGES[0]).all()

    def row(image, place):
        with h5py.File(scan) as file:
            return file["dark"][place[0], 0]

    thread = threading.Thread(target=reads)
    thread.start()
    try:
        to = tmp_path / "rows.h5"
        slices.run(scan, row, {"entry/data": (0, 1)}, {"row": ("u2", (-1,))}, to, place=True, workers=3)
    finally:
        is_over.set()
        thread.join()
    with h5py.File(to) as file:
        assert (file["row"][:] == IMAGES[0, :, 0]).all()


def test_types_that_c_has_not_are_handed_in_as_h5py_reads_them(tmp_path):
    arrays = [np.arange(24).reshape(4, 6).astype(kind) for kind in ("<f2", ">f2", "<c8", "?", ">f8", "<i8")]
    path = tmp_path / "kinds.h5"
    with h5py.File(path, "w") as file:
        for number, array in enumerate(arrays):
            file[str(number)] = array
    for number, array in enumerate(arrays):

        def compare(row, place, array=array):
            assert (row == array[place[0]]).all() and row.dtype.kind == array.dtype.kind

        assert slices.run(path, compare, {str(number): (1,)}, place=True).done == 4


def test_ranks_make_parts_and_the_last_one_a_master(scan, tmp_path):
    to = tmp_path / "means.h5"
    for rank in (1, 0, 1):
        how = {"rank": (rank, 2), "resume": True}
        slices.run(scan, np.mean, {"entry/data": (0, 1)}, {"means": ("f8", (-1,))}, to, **how)
    assert sorted(path.name for path in tmp_path.glob("means*")) == ["means.h5", "means_000000.h5", "means_000001.h5"]
    with h5py.File(to) as file:
        assert np.allclose(file["means"][:], IMAGES.mean(axis=(0, 2)))


@pytest.mark.parametrize("case", range(int(os.environ.get("DARKCHUNK_CASES", 40))))
def test_slices_of_random_datasets_are_h5pys(tmp_path, case):
    """One to three slicing axes of any shape, chunks and filters, with chunks that are missing."""
    rng = np.random.default_rng(case)
    shape = tuple(int(n) for n in rng.integers(1, 14, rng.integers(1, 5)))
    dtype = rng.choice(["u1", "<i2", ">u2", "<u4", "<f4", ">f8"])
    filters = [{}, {"compression": "gzip", "shuffle": True}, *({"compression": each} for each in FILTERS)]
    how = filters[rng.integers(len(filters))]
    if "drle" in repr(how).lower() or "bounded" in repr(how).lower():
        dtype = "<u2"
    path, values = tmp_path / "a.h5", rng.integers(0, 99, shape).astype(dtype)
    with h5py.File(path, "w") as file:
        if rng.random() < 0.8:
            chunks = tuple(int(rng.integers(1, n + 1)) for n in shape)
            data = file.create_dataset("data", shape, dtype, chunks=chunks, fillvalue=3, **how)
            for start in np.ndindex(*(-(-n // chunk) for n, chunk in zip(shape, chunks, strict=True))):
                if rng.random() < 0.8:
                    box = tuple(slice(at * n, at * n + n) for at, n in zip(start, chunks, strict=True))
                    data[box] = values[box]
        else:
            file["data"] = values
        values = file["data"][:]
    axes = rng.permutation(len(shape))[: rng.integers(1, min(len(shape), 3) + 1)]
    map_ = [0] * len(shape)
    for number, axis in enumerate(axes, start=1):
        map_[axis] = number
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    ordered, count = values.transpose(*axes, *rest), []

    def compare(found, place):
        expected = ordered[place]
        assert found.dtype == expected.dtype.newbyteorder("=") and (found == expected).all()
        count.append(place)

    threads = {"threads": int(rng.integers(1, 4)), "workers": int(rng.integers(1, 4))}
    memory = 2e9 if rng.random() < 0.5 else 17e6
    assert slices.run(path, compare, {"data": map_}, place=True, memory=memory, **threads).failed == 0
    assert len(set(count)) == len(count) == np.prod([shape[axis] for axis in axes])


SLOW = """
import signal, sys, time, h5py, numpy as np, darkchunk
# A shell gives its background jobs a SIGINT that is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
def slow(image, place):
    if place[0] == 0:
        print("begun", flush=True)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        {}
try:
    outputs = {{"x": ("f8", (-1,))}}
    darkchunk.slices.run(sys.argv[1], slow, {{"entry/data": (0, 1)}}, outputs, sys.argv[2], place=True, workers=2)
except KeyboardInterrupt:
    print("ended", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("work", ["pass", "time.sleep(0.05)"])
def test_ctrl_c_ends_a_run_while_its_function_works(scan, tmp_path, work):
    command = [sys.executable, "-c", SLOW.format(work), str(scan), str(tmp_path / "x.h5")]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "begun\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        out, error = child.communicate(timeout=120)
    assert (out, error, child.returncode) == ("ended\n", "", 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.h5"]


def test_every_filter_is_read(tmp_path):
    path = tmp_path / "filters.h5"
    values = np.random.default_rng(1).integers(0, 30_000, (6, 16, 20)).astype("<u2")
    with h5py.File(path, "w") as file:
        for number, each in enumerate(sample(FILTERS, 4)):
            file.create_dataset(str(number), data=values, chunks=(1, 16, 20), compression=each)
        names = list(file)
    for name in names:
        rows = {}
        slices.run(path, lambda row, place, rows=rows: rows.update({place: row.copy()}), {name: (0, 1)}, place=True)
        assert all((rows[(row,)] == values[:, row]).all() for row in range(16)), name


def test_what_was_made_with_other_arguments_is_not_kept(scan, tmp_path):
    def add(image, table):
        return image.sum() + np.sum(table)

    place = tmp_path / "sum.h5"
    one = np.zeros(2000)
    other = one.copy()
    other[1000] = 1
    assert repr(one) == repr(other), "shortened"

    def part(table):
        how = {"arguments": {"table": table}, "rank": (0, 2), "resume": True}
        return slices.run(scan, add, {"entry/data": (0, 1)}, {"sum": ("f8", (-1,))}, place, **how)

    first = part(one)
    assert first.done > 0 and part(one).done == 0
    for table in (other, one.astype("f4"), one.reshape(2, 1000), [one]):
        with pytest.raises(darkchunk.Error, match="of another run"):
            part(table)
