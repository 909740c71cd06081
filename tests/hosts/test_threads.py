"""Threads within a chunk: off unless `DARKCHUNK_THREADS` says more; the same files; safe after a fork; none left over."""

import os

import pytest

from common import BITSHUFFLE, BLOSC, DRLE, HOSTS, IS_FULL, LZ4, ZSTD, child

CONFIGS = {
    "drle": (DRLE, (1,)),
    "bitshuffle": (BITSHUFFLE, (0, 0)),
    "bitshuffle-lz4": (BITSHUFFLE, (0, 2)),
    "bitshuffle-zstd": (BITSHUFFLE, (0, 3, 1)),
    "blosc-lz4-byte": (BLOSC, (0, 0, 0, 0, 5, 1, 1)),
    "blosc-zstd-bit": (BLOSC, (0, 0, 0, 0, 1, 2, 5)),
    "lz4-blocks": (LZ4, (1 << 18,)),
    "zstd": (ZSTD, (1,)),
}
# numpy has threads of its own, which a fork ends.
TWO = {"DARKCHUNK_THREADS": 2, "OPENBLAS_NUM_THREADS": 1}
HAS_TWO = len(os.sched_getaffinity(0)) > 1

# PyTables has a Blosc filter of its own, and a bare Zstd chunk has no parts.
THREADED = [
    (host, label)
    for host in HOSTS
    for label in CONFIGS
    if label != "zstd" and not (host == "tables" and label.startswith("blosc"))
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same frames by each host and filter, written with one thread and with two."""
    folder = tmp_path_factory.mktemp("threads")

    def path(host, label, n_threads):
        file = folder / f"{host}-{label}-{n_threads}.h5"
        if not file.exists():
            number, values = CONFIGS[label]
            env = {"DARKCHUNK_THREADS": n_threads}
            child("write_large", host=host, path=file, number=number, values=values, env=env)
        return file

    return path


@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("host", HOSTS)
def test_two_threads_store_what_one_stores(files, host, label):
    one, two = (child("large_chunks", path=files(host, label, n)) for n in (1, 2))
    assert one == two
    assert [mask for mask, _ in one] == [0, 0], "encoded"


@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("host", HOSTS)
def test_two_threads_read_what_was_written_and_none_is_left(files, host, label):
    found = child("read_large", host=host, path=files(host, label, 2), env=TWO)
    assert found["outcomes"] == ["ok", "ok"]
    before, after, after_hdf5 = found["tasks"]
    assert after == after_hdf5 == before


@pytest.mark.skipif(not HAS_TWO, reason="no more threads are started than there are processors")
@pytest.mark.parametrize(("host", "label"), THREADED)
def test_threads_work_where_they_are_asked_for_and_nowhere_else(files, host, label):
    def share_of_others(value):
        env = TWO | {"DARKCHUNK_THREADS": value}
        others, all_of_it = child("read_large", host=host, path=files(host, label, 2), env=env)["seconds"]
        return others / all_of_it

    # A part of the comparison is numpy's, so that a half cannot be expected. On a busy machine all may be done before the other
    # thread has a processor: then once more.
    assert any(share_of_others(2) > 0.02 for _ in range(30))
    for value in ["", "1", "no number"]:
        assert share_of_others(value) < 0.01, value


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("label", ["drle", "bitshuffle-lz4", "blosc-lz4-byte"])
def test_children_of_a_process_that_has_used_threads_use_them_too(files, host, label):
    found = child("read_in_forks", host=host, path=files(host, label, 2), env=TWO)
    assert set(found["found"]) == {found["right"]} and len(found["found"]) == 8


@pytest.mark.parametrize(
    ("name", "values"),
    [("h5bitshuffle", (0, 4, 2, 0, 2, 0)), ("h5bitshuffle", (0, 4, 2, 0, 3, 1)), ("h5lz4", (1 << 18,))],
    ids=["bitshuffle-lz4", "bitshuffle-zstd", "lz4"],
)
def test_a_fork_while_another_thread_is_in_the_filter_does_no_harm(name, values):
    found = child("fork_at_any_moment", name=name, values=values, n_forks=60 if IS_FULL else 15, env=TWO)
    assert set(found["ends"]) == {0}
    before, after = found["tasks"]
    assert after == before
