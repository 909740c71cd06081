"""A dataset made with another one's creation properties is stored as that one is."""

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, CHUNKS, CONFIGS, HOSTS, child, frames


def filters(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(index)[:3] for index in range(plist.get_nfilters())]


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        yield file


def like(file, name, other, data, chunks=None):
    plist = other.id.get_create_plist()
    if chunks:
        plist.set_chunk(chunks)
    space, datatype = h5py.h5s.create_simple(data.shape), h5py.h5t.py_create(data.dtype)
    dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), datatype, space, plist))
    dataset[...] = data
    return dataset


@pytest.mark.parametrize("label", CONFIGS)
def test_the_same_layout_gets_the_same_parameters_and_size(file, label):
    number, values = CONFIGS[label]
    data = frames()
    first = file.create_dataset("1", data=data, chunks=CHUNKS, compression=number, compression_opts=values)
    second = like(file, "2", first, data)
    third = like(file, "3", second, data)
    assert filters(first) == filters(second) == filters(third)
    assert first.id.get_storage_size() == second.id.get_storage_size() == third.id.get_storage_size()
    assert np.array_equal(third[:], data)


@pytest.mark.parametrize("label", CONFIGS)
def test_another_layout_gets_its_own_parameters(file, label):
    number, values = CONFIGS[label]
    data = frames(dtype="<u2")
    first = file.create_dataset("1", data=data, chunks=CHUNKS, compression=number, compression_opts=values)
    chunks = (3, 20, 40)
    second = like(file, "2", first, data, chunks)
    anew = file.create_dataset("3", data=data, chunks=chunks, compression=number, compression_opts=values)
    assert filters(second) == filters(anew) and np.array_equal(second[:], data)


@pytest.mark.parametrize("label", CONFIGS)
def test_h5py_copies_a_dataset_by_its_own_properties(file, label):
    number, values = CONFIGS[label]
    first = file.create_dataset("1", data=frames(), chunks=CHUNKS, compression=number, compression_opts=values)
    file.copy("1", "2")
    assert filters(file["2"]) == filters(first) and np.array_equal(file["2"][:], first[:])


def test_parameters_that_the_reference_has_shifted_are_read(tmp_path):
    """hdf5plugin makes a dataset like another one: its values are shifted, and its data is not compressed."""
    path = tmp_path / "shifted.h5"
    stored = child("write_shifted", plugin_path="/nonexistent", path=path)
    assert stored == [BITSHUFFLE, [0, 4, 2, 0, 4, 2, 0, 2]]
    for host in HOSTS:
        assert child("compare_with_frames", host=host, path=path) == "ok"


def test_shifted_parameters_are_not_shifted_further(tmp_path, file):
    path = tmp_path / "shifted.h5"
    child("write_shifted", plugin_path="/nonexistent", path=path)
    with h5py.File(path, "r") as shifted:
        dataset = like(file, "frames", shifted["frames"], frames())
        values = filters(dataset)[0][2]
        assert len(values) == 7 and values[:5] == (0, 4, 2, 0, 0) and values[6] == 12408
        assert np.array_equal(dataset[:], frames())
