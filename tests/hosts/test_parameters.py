"""Parameters in the forms in which people give them: what h5py's users get is what they meant, or a text (test_refusals.py).

And what is stored of chunks that nothing makes smaller.
"""

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, BLOSC, DRLE, LZ4, ZSTD

CHUNK = (1, 256, 256)
N_BYTES = 2 * 256 * 256

BITSHUFFLED = (0, 4, 2, 0, 2, 0, N_BYTES)
# Filter, what is given, what is stored.
GIVEN = [
    (BITSHUFFLE, (), BITSHUFFLED),
    (BITSHUFFLE, (0,), BITSHUFFLED),
    (BITSHUFFLE, (0, 2), BITSHUFFLED),
    (BITSHUFFLE, (0, 2, 0), BITSHUFFLED),
    (BITSHUFFLE, (0, 2, 0, 0, 0), BITSHUFFLED),
    (BITSHUFFLE, (0, 2, 2, 0, 2), BITSHUFFLED),
    (BITSHUFFLE, (0, 0), (0, 4, 2, 0, 0, 0, N_BYTES)),
    (BITSHUFFLE, (0, 3, 9), (0, 4, 2, 0, 3, 9, N_BYTES)),
    (BITSHUFFLE, (4096, 3, 9, 0), (0, 4, 2, 4096, 3, 9, N_BYTES)),
    (BLOSC, (), (2, 2, 2, N_BYTES, 5, 1, 0)),
    (BLOSC, (9,), (2, 2, 2, N_BYTES, 9, 1, 0)),
    (BLOSC, (9, 2), (2, 2, 2, N_BYTES, 9, 2, 0)),
    (BLOSC, (9, 2, 5), (2, 2, 2, N_BYTES, 9, 2, 5)),
    (BLOSC, (0, 0, 0, 0), (2, 2, 2, N_BYTES, 5, 1, 0)),
    (BLOSC, (0, 0, 0, 0, 9), (2, 2, 2, N_BYTES, 9, 1, 0)),
    (BLOSC, (0, 0, 0, 0, 9, 2), (2, 2, 2, N_BYTES, 9, 2, 0)),
    (BLOSC, (2, 2, 8, 4000, 9, 2), (2, 2, 2, N_BYTES, 9, 2, 0)),
    (BLOSC, (0, 0, 0, 0, 9, 2, 5), (2, 2, 2, N_BYTES, 9, 2, 5)),
    (BLOSC, (71, 5, 1, 1, 9, 2, 5), (2, 2, 2, N_BYTES, 9, 2, 5)),
    (BLOSC, (0, 0, 0, 0, 9, 2, 5, 0), (2, 2, 2, N_BYTES, 9, 2, 5)),
    (LZ4, (), (0, N_BYTES)),
    (LZ4, (4096,), (4096, N_BYTES)),
    (LZ4, (4096, 77), (4096, N_BYTES)),
    (LZ4, (4096, 0, 0), (4096, N_BYTES)),
    (ZSTD, (), (3,)),
    (ZSTD, (9,), (9,)),
    (ZSTD, (9, N_BYTES), (9,)),
    (ZSTD, (9, 0, 0), (9,)),
]


def noise(max_value=65536):
    return np.random.default_rng(0).integers(0, max_value, (4, *CHUNK[1:])).astype("<u2")


@pytest.mark.parametrize("number, given, stored", GIVEN)
def test_what_is_given_is_what_is_meant(tmp_path, number, given, stored):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        data = noise() // 5000
        dataset = file.create_dataset("frames", data=data, chunks=CHUNK, compression=number, compression_opts=given)
        assert dataset.id.get_create_plist().get_filter(0)[2] == stored
        assert np.array_equal(dataset[...], data)
        is_compressed = number != BITSHUFFLE or stored[4] != 0
        assert is_compressed == (dataset.id.get_storage_size() < data.nbytes)


def test_what_is_given_to_lz4_is_no_level(tmp_path):
    """`filters/README.md` says how much larger a chunk is in blocks of three bytes, and from which size on it hardly grows."""
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for block, most in [(3, 2.334), (800, 1.0053), (4096, 1.005)]:
            data = noise()
            dataset = file.create_dataset(f"{block}", data=data, chunks=CHUNK, compression=LZ4, compression_opts=(block,))
            assert dataset.id.get_storage_size() <= most * data.nbytes
            assert np.array_equal(dataset[...], data)


def test_bitshuffle_in_front_of_gzip_is_a_shuffle(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(CHUNK)
        plist.set_filter(BITSHUFFLE, h5py.h5z.FLAG_OPTIONAL, ())
        plist.set_deflate(4)
        data = noise() // 5000
        space = h5py.h5s.create_simple(data.shape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, b"frames", h5py.h5t.STD_U16LE, space, plist))
        dataset[...] = data
        assert dataset.id.get_create_plist().get_filter(0)[2] == (0, 4, 2, 0, 0, 0, N_BYTES)
        assert np.array_equal(dataset[...], data) and dataset.id.get_storage_size() < data.nbytes


@pytest.mark.parametrize("flags", [h5py.h5z.FLAG_OPTIONAL, h5py.h5z.FLAG_MANDATORY], ids=["optional", "mandatory"])
@pytest.mark.parametrize("number, given", [
    (DRLE, (1,)), (BITSHUFFLE, ()), (BITSHUFFLE, (0, 0)), (BITSHUFFLE, (0, 3)), (LZ4, ()), (LZ4, (8192,)), (ZSTD, ()),
    *((BLOSC, (level, shuffle, compressor)) for level in (0, 5) for shuffle in range(3) for compressor in range(6)),
])
def test_what_does_not_shrink_is_encoded_all_the_same_and_hardly_grows(tmp_path, number, given, flags):
    """Parallel HDF5 before 1.14 loses the mark of a chunk that is stored without its filter."""
    data = noise(65536)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(CHUNK)
        plist.set_filter(number, flags, given)
        space = h5py.h5s.create_simple(data.shape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, b"frames", h5py.h5t.STD_U16LE, space, plist))
        dataset[...] = data
    with h5py.File(tmp_path / "file.h5") as file:
        chunks = [file["frames"].id.get_chunk_info(index) for index in range(len(data))]
        assert [chunk.filter_mask for chunk in chunks] == [0] * len(data)
        assert all(chunk.size <= 1.005 * N_BYTES for chunk in chunks), [chunk.size / N_BYTES for chunk in chunks]
        assert np.array_equal(file["frames"][...], data)
