"""The bounded codec in real hosts: nothing is off by more than was promised, and files are as small as they should be."""

import hashlib
from fractions import Fraction

import h5py
import numpy as np
import pytest

from common import BOUNDED, DATA, HOSTS, child, tool

NOISE, UNBIASED, KEEP_ZERO = 2, 1, 2
NONE, MEAN, PREVIOUS = 1, 2, 3


def given(bound=(), reference=0, options=0):
    return (*bound, *[0] * (8 - len(bound)), options, reference)


def noise(numerator, denominator=1, gain=(1, 1), offset=0):
    return (NOISE, numerator, denominator, *gain, offset)


def write(path, data, chunks, values):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "frames", data=data, chunks=(*chunks, *data.shape[1:]), compression=BOUNDED, compression_opts=values
        )
        file.flush()
        masks = [dataset.id.get_chunk_info(index).filter_mask for index in range(dataset.id.get_num_chunks())]
        assert not any(masks), "a chunk went past the filter"
        return data.nbytes / dataset.id.get_storage_size()


def read(path):
    with h5py.File(path) as file:
        return file["frames"][:]


def scene(dtype, n_frames=9):
    rng = np.random.default_rng(36115)
    rows, columns = np.mgrid[0:40, 0:52]
    data = rng.poisson(3 + 20 * np.exp(-((rows - 20) ** 2 + (columns - 25) ** 2) / 200), (n_frames, 40, 52))
    data = data.astype(dtype)
    if np.dtype(dtype).kind == "u" and np.dtype(dtype).itemsize > 1:
        data[:, :, 30:33] = np.iinfo(dtype).max
    return data


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4"])
@pytest.mark.parametrize("reference", [0, NONE, MEAN, PREVIOUS])
def test_each_type_is_exact_or_within_its_bound(tmp_path, dtype, reference):
    data = scene(dtype)
    write(tmp_path / "exact.h5", data, (4,), given(reference=reference))
    assert np.array_equal(read(tmp_path / "exact.h5"), data)
    for options in (0, UNBIASED, KEEP_ZERO, UNBIASED + KEEP_ZERO):
        write(tmp_path / "two.h5", data, (4,), given((1, 2), reference, options))
        found = read(tmp_path / "two.h5").astype(np.int64)
        error = np.abs(found - data)
        assert 0 < error.max() <= 2
        assert not error[data == np.iinfo(dtype).max].any(), "a masked pixel has changed"
        assert not options & KEEP_ZERO or np.array_equal(found == 0, data == 0)
        write(tmp_path / "noise.h5", data, (4,), given(noise(1), reference, options))
        error = np.abs(read(tmp_path / "noise.h5").astype(np.int64) - data)
        assert (4 * error**2 <= data.astype(np.int64))[data != np.iinfo(dtype).max].all()


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_reads_it(tmp_path, host):
    data = scene("<u2")
    write(tmp_path / "file.h5", data, (3,), given(noise(1), PREVIOUS))
    expected = read(tmp_path / "file.h5")
    shown = child("digest_of_host", host=host, path=tmp_path / "file.h5", dataset="frames", dtype="<u2")
    assert shown == hashlib.sha256(expected.tobytes()).hexdigest()


def test_h5repack_makes_other_chunks_of_it_and_h5dump_shows_it(tmp_path):
    data = scene("<u2")
    write(tmp_path / "file.h5", data, (3,), given((1, 1)))
    done = tool("h5repack", "-l", "frames:CHUNK=1x20x52", tmp_path / "file.h5", tmp_path / "other.h5")
    assert done.returncode == 0, done.stderr
    error = np.abs(read(tmp_path / "other.h5").astype(int) - read(tmp_path / "file.h5"))
    assert error.max() <= 1
    shown = tool("h5dump", "-pH", tmp_path / "other.h5")
    assert f"FILTER_ID {BOUNDED}" in shown.stdout and "20 52 2080" in shown.stdout


def halves(number):
    return np.array([number], "<f8").view("<u4").tolist()


def floats(dtype, n_frames=9):
    """Noise about a slope, with all that is no measurement, and some that is far off."""
    rng = np.random.default_rng(36115)
    data = (np.linspace(-1, 3, 52) + rng.normal(0, 0.05, (n_frames, 40, 52))).astype(dtype)
    data[:, :, 30:33] = np.nan
    for value in (0, -0.0, np.inf, -np.inf, 1e30, 1e-42, np.nan):
        data[rng.random(data.shape) < 0.001] = value
    return data


@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
@pytest.mark.parametrize("reference", [0, NONE, MEAN, PREVIOUS])
def test_floats_are_exact_or_within_their_bound_as_rational_numbers(tmp_path, dtype, reference):
    data = floats(dtype)
    write(tmp_path / "exact.h5", data, (4,), given(reference=reference))
    assert read(tmp_path / "exact.h5").tobytes() == data.tobytes()
    is_finite = np.isfinite(data)
    span = [Fraction(float(part[np.isfinite(part)].max())) - Fraction(float(part[np.isfinite(part)].min()))
            for part in (data[:4], data[4:8], data[8:])]
    for bound, number in ((3, 0.01), (3, 1e-3), (3, 1e-6), (4, 1e-33), (1, 2)):
        values = (1, number) if bound == 1 else (bound, *halves(number))
        write(tmp_path / "lossy.h5", data, (4,), given(values, reference))
        found = read(tmp_path / "lossy.h5")
        assert found[~is_finite].tobytes() == data[~is_finite].tobytes()
        assert np.isfinite(found[is_finite]).all()
        for at in np.argwhere(is_finite & (found != data)):
            error = abs(Fraction(float(found[tuple(at)])) - Fraction(float(data[tuple(at)])))
            # A float64 may be above the product by half of its last bit.
            most = Fraction(number) * (span[at[0] // 4] * (1 + Fraction(1, 2**50)) if bound == 4 else 1)
            assert error <= most, at


def test_float64_is_refused(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file, pytest.raises(Exception, match="32 bits and float32"):
        file.create_dataset("frames", data=np.zeros((4, 4)), chunks=(4, 4), compression=BOUNDED)


# Data set, frames a chunk, parameters, ratio at least, and the noise model for the check: gain and offset.
TOMOGRAPHY = ("tomography/dls_24737_projections_uint16.h5", "projections")
GAIN = ((41, 20), 98)
EIGER = ("mx/eiger4m_1frame_bslz4_uint32.h5", "entry/data/data")
PILATUS = ("mx/pilatus6m_thaumatin_3frames_int32.h5", "frames")
STAR = ("saxs_xpcs/coherent_diffraction_siemens_star_uint16.h5", "frames")
PHOTONS = ("mx/jungfrau_module_raw_and_photons.h5", "photons_int16")
BEADS = ("lowlight_camera/stuck_beads_camera_uint16.h5", "frames")
REAL = [
    (TOMOGRAPHY, 16, given(noise(1, 2, *GAIN), PREVIOUS), 4.45, GAIN),
    (TOMOGRAPHY, 16, given(noise(1, 1, *GAIN), PREVIOUS), 6.05, GAIN),
    (TOMOGRAPHY, 16, given(noise(2, 1, *GAIN), PREVIOUS), 9.03, GAIN),
    (TOMOGRAPHY, 16, given(noise(1, 2, *GAIN), MEAN), 4.25, GAIN),
    (TOMOGRAPHY, 16, given(noise(1, 1, *GAIN), MEAN), 5.73, GAIN),
    (EIGER, 1, given(), 6.85, None),
    (EIGER, 1, given(noise(1)), 14.2, ((1, 1), 0)),
    (PILATUS, 1, given(), 12.95, None),
    (PILATUS, 1, given(noise(1)), 15.9, ((1, 1), 0)),
    (STAR, 16, given(), 5.85, None),
    (STAR, 16, given(noise(1)), 8.85, ((1, 1), 0)),
    (PHOTONS, 6, given(), 7.2, None),
    (BEADS, 1, given(), 3.5, None),
]


@pytest.mark.parametrize("source, n_frames, values, least, model", REAL)
def test_real_frames_are_as_small_as_they_should_be(tmp_path, source, n_frames, values, least, model):
    path = DATA / source[0]
    if not path.exists():
        pytest.skip(f"{path} is not there")
    import hdf5plugin  # noqa: F401

    with h5py.File(path) as file:
        data = file[source[1]][:]
    data = data.reshape(-1, *data.shape[-2:])
    ratio = write(tmp_path / "file.h5", data, (min(n_frames, len(data)),), values)
    found = read(tmp_path / "file.h5")
    assert ratio >= least, f"{ratio:.2f}"
    if model is None:
        assert np.array_equal(found, data)
        return
    (gain, gain_divisor), offset = model
    is_pixel = (data >= 0) & (data != np.iinfo(data.dtype).max)
    x = data[is_pixel].astype(np.int64)
    error = np.abs(found[is_pixel].astype(np.int64) - x)
    variance = np.maximum(gain * (x - offset), 0)
    assert (4 * values[2] ** 2 * gain_divisor * error**2 <= values[1] ** 2 * variance).all()
    assert np.array_equal(found[~is_pixel], data[~is_pixel])
