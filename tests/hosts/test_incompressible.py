"""Chunks of 64 KiB and more that do not shrink grow by at most 0.5 %."""

import h5py
import numpy as np
import pytest

from common import CONFIGS, DRLE

SHAPE = (4, 256, 256)
TYPES = ["<u2", "<i4", "<f4", "u1"]
CASES = [(label, dtype) for label in CONFIGS for dtype in TYPES if dtype == "<u2" or CONFIGS[label][0] != DRLE]


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
        assert dataset.id.get_storage_size() <= 1.005 * data.nbytes
    with h5py.File(tmp_path / "file.h5") as file:
        assert file["noise"][...].tobytes() == data.tobytes()
