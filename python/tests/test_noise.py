"""The noise that is measured is the one that the frames were made with."""

import numpy as np
import pytest

import darkchunk


def frames(gain=2.05, offset=98, n=16, dtype="<u2"):
    rng = np.random.default_rng(5)
    photons = rng.poisson(np.linspace(500, 10_000, 96 * 128).reshape(96, 128), (n, 96, 128))
    return (gain * photons + offset).round().astype(dtype)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", ">u4"])
def test_gain_and_offset_are_those_of_the_detector(dtype):
    model = darkchunk.noise_model(frames(dtype=dtype))
    assert abs(model.gain - 2.05) < 5 * model.gain_error < 0.2
    assert model.variance(10_000) == pytest.approx(2.05 * (10_000 - 98), rel=0.05)
    assert model.doubts == ()
    bounded = model.bounded(0.5, reference="previous")
    assert bounded.get_config()["gain"] == pytest.approx(model.gain, rel=1e-3)


def test_what_does_not_count_is_left_out():
    data = frames()
    data[:, :10] = 65535
    data[:, 10:12] = 60000 + np.arange(16)[:, None, None] * 100
    assert darkchunk.noise_model(data, saturation=60000) == darkchunk.noise_model(data, [65535], 60000)
    assert darkchunk.noise_model(data, saturation=60000).gain == pytest.approx(2.05, rel=0.1)


def test_what_is_no_photon_noise_is_said():
    (doubt,) = darkchunk.noise_model(frames() // 16 * 16).doubts
    assert "multiples of 16" in doubt
    rng = np.random.default_rng(1)
    read_noise = (np.arange(96 * 128).reshape(96, 128) + rng.normal(500, 6, (9, 96, 128))).round().astype("i4")
    model = darkchunk.noise_model(read_noise)
    assert "does not rise" in model.doubts[0]
    with pytest.raises(ValueError, match=r"3\.0\d counts are 0\.5 standard deviations"):
        model.bounded()


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(darkchunk.ArgumentError, match="three frames"):
        darkchunk.noise_model(frames(n=2))
    with pytest.raises(ValueError, match="shape"):
        darkchunk.noise_model(frames()[0])
    with pytest.raises(TypeError, match="float64"):
        darkchunk.noise_model(frames().astype(float))
