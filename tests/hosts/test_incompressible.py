"""Chunks of 64 KiB and more that do not shrink grow by at most 0.5 %; DRLE's by what docs/format.md says of a segment."""

import h5py
import numpy as np
import pytest

from common import CONFIGS, DRLE

SHAPE = (4, 256, 256)
TYPES = ["<u2", "<i4", "<f4", "u1"]
CASES = [
    (label, dtype)
    for label in CONFIGS
    for dtype in TYPES
    if dtype == "<u2" or CONFIGS[label][0] != DRLE
]


SEGMENT_GROWTH = 8 + 2 + 11  # bytes: an entry of the table, a token, and what the list adds
HEADER = 24


def most_growth(label, data):
    """Bytes that all chunks may grow by. Segments of a few hundred pixels cost more than 0.5 %, as their user chose."""
    if "segments" not in label:
        return 0.005 * data.nbytes
    n_segments = -(-data[0].size // CONFIGS[label][1][2])
    return len(data) * (HEADER + n_segments * SEGMENT_GROWTH)


def noise(dtype):
    rng = np.random.default_rng(0)
    return np.frombuffer(rng.bytes(int(np.prod(SHAPE)) * np.dtype(dtype).itemsize), dtype).reshape(SHAPE)


@pytest.mark.parametrize(("label", "dtype"), CASES)
def test_noise_grows_by_half_a_percent_at_most(tmp_path, label, dtype):
    number, values = CONFIGS[label]
    data = noise(dtype)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        options = dict(chunks=(1, *SHAPE[1:]), compression=number, compression_opts=values)
        dataset = file.create_dataset("noise", data=data, **options)
        file.flush()
        assert dataset.id.get_storage_size() <= data.nbytes + most_growth(label, data)
    with h5py.File(tmp_path / "file.h5") as file:
        assert file["noise"][...].tobytes() == data.tobytes()
