"""Threads of h5py and of ours in one process, and Python's own beside a long read.

`cargo xtask prove wheel` takes all orders of imports, a minute each, four processes at once, and a gigabyte.
"""

from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from support import IS_FULL, ORDERS, frames, result, sample

import darkchunk

BESIDE = """
import json, sys, threading, time
for name in sys.argv[3].split(","):
    __import__(name)
import darkchunk, h5py
path, seconds = sys.argv[1], float(sys.argv[2])
file = h5py.File(path)
names = list(file)
opened = {name: darkchunk.open(path, name, threads=2) for name in names}
whole = {name: file[name][...] for name in names}
until, n, wrong = time.monotonic() + seconds, [0] * 8, []

def read(number, get):
    try:
        # Until each has done something, though it may not run for a while.
        while not wrong and time.monotonic() < (until if min(n) > 0 else until + 60):
            for name in names:
                if not (get(name) == whole[name]).all():
                    wrong.append(f"thread {number}, {name}: wrong pixels")
            n[number] += 1
    except BaseException as error:
        wrong.append(f"thread {number}: {error!r}")

ways = [lambda name: file[name][...], lambda name: opened[name][...]] * 4
threads = [threading.Thread(target=read, args=both) for both in enumerate(ways)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"n": n, "wrong": wrong}))
"""


CHOSEN = sample(ORDERS, 1)
AT_ONCE = [CHOSEN[at : at + 4] for at in range(0, len(CHOSEN), 4)]


@pytest.mark.parametrize("orders", AT_ONCE, ids=lambda orders: " ".join(map(">".join, orders)))
def test_four_threads_of_h5py_beside_four_of_ours(tmp_path, orders):
    filters = [darkchunk.DRLE(), darkchunk.Bitshuffle(), darkchunk.Blosc(), darkchunk.LZ4(), darkchunk.Zstd()]
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for number, filter in enumerate(filters):
            file.create_dataset(f"a{number}", data=frames(), chunks=(1, 33, 47), compression=filter)

    def run(order):
        return result(BESIDE, tmp_path / "file.h5", 60 if IS_FULL else 1, ",".join(order))

    with ThreadPoolExecutor(len(orders)) as processes:
        for order, said in zip(orders, processes.map(run, orders), strict=True):
            assert not said["wrong"], order
            assert min(said["n"]) > 0, order


COUNT = """
import json, sys, threading, time
import darkchunk, numpy as np
counted, done = [0], threading.Event()

def count():
    while not done.is_set():
        counted[0] += 1
        time.sleep(0.001)

thread = threading.Thread(target=count)
with darkchunk.open(sys.argv[1], threads=2) as dataset:
    out = np.empty(dataset.shape, dataset.dtype)
    thread.start()
    start, before = time.monotonic(), counted[0]
    dataset.read_into(out)
    seconds, n = time.monotonic() - start, counted[0] - before
    done.set()
    thread.join()
print(json.dumps({"n": n, "seconds": seconds, "bytes": out.nbytes, "sum": int(out.sum(dtype="i8"))}))
"""


@pytest.mark.skipif(not IS_FULL, reason="`prove wheel`; a smaller one is among the tests of the reader")
def test_a_python_thread_goes_on_counting_while_a_gigabyte_is_decoded(tmp_path):
    n, shape = 500, (1000, 1000)
    noise = np.random.default_rng(1).integers(0, 1000, shape).astype("<i2")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        dataset = file.create_dataset("a", (n, *shape), "<i2", chunks=(1, *shape), compression=darkchunk.Bitshuffle())
        dataset[0] = noise
        mask, chunk = dataset.id.read_direct_chunk((0, 0, 0))
        for index in range(1, n):
            dataset.id.write_direct_chunk((index, 0, 0), chunk, mask)
    said = result(COUNT, tmp_path / "file.h5")
    assert said["bytes"] == 10**9 and said["sum"] == n * int(noise.sum(dtype="i8"))
    assert said["n"] > 20 * said["seconds"], said
