"""`explain` says of the bounded codec what was promised and what was achieved."""

import re

import h5py
import numpy as np
import pytest

import darkchunk

SHAPE, CHUNK = (12, 40, 50), (4, 40, 50)


def counts(dtype):
    rng = np.random.default_rng(3)
    return rng.poisson(np.linspace(0, 900, SHAPE[2]), SHAPE).astype(dtype)


def stored(path, data, codec, **more):
    with h5py.File(path, "w", **more) as file:
        file.create_dataset("frames", data=data, chunks=CHUNK, compression=codec)
    with h5py.File(path) as file:
        return file["frames"][...]


def achieved(path):
    """The numbers of the line on what was achieved."""
    line = next(line for line in darkchunk.explain(path).splitlines() if "achieved" in line)
    number = r"(-?[\d.]+(?:e[-+]?\d+)?)"
    names = {"chunks": f"in {number} chunks", "most": f"largest error {number}", "mean": f"mean error {number}"}
    names |= {"square": f"mean square {number}", "to_zero": f"{number} values became 0"}
    names |= {"from_zero": f"{number} zeros became", "sigma": rf"\({number} standard deviations"}
    found = {name: re.search(pattern, line) for name, pattern in names.items()}
    return {name: float(match[1]) for name, match in found.items() if match}, line


@pytest.mark.parametrize("dtype", ["<u2", ">i2", "<u4"])
@pytest.mark.parametrize("given", [{"absolute": 4}, {"noise": 1}, {"noise": 2, "unbiased": True}])
@pytest.mark.parametrize("block", [{}, {"userblock_size": 512}])
def test_what_is_said_to_be_achieved_is_what_is_read(tmp_path, given, dtype, block):
    data = counts(dtype)
    errors = stored(tmp_path / "file.h5", data, darkchunk.Bounded(**given), **block).astype(int) - data
    found, _ = achieved(tmp_path / "file.h5")
    assert found["chunks"] == 3 and found["most"] == np.abs(errors).max() > 0
    assert found["mean"] == pytest.approx(errors.mean(), rel=1e-3, abs=1e-9)
    assert found["square"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-3)
    assert found["to_zero"] == ((errors != 0) & (errors == -data.astype(int))).sum()
    assert found["from_zero"] == ((errors != 0) & (data == 0)).sum()
    if "noise" in given:
        sigma = (np.abs(errors) / np.sqrt(np.maximum(data, 1))).max()
        assert sigma - 1e-4 <= found["sigma"] <= given["noise"] / 2 + 1e-4
        assert found["sigma"] <= sigma + 1e-4


@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
@pytest.mark.parametrize("given", [{"absolute": 0.5}, {"relative": 1e-3}])
def test_what_is_said_to_be_achieved_with_floats_is_what_is_read(tmp_path, given, dtype):
    data = counts(dtype) + np.asarray(np.random.default_rng(2).random(SHAPE), dtype)
    data[:, 3] = np.nan
    found = stored(tmp_path / "file.h5", data, darkchunk.Bounded(**given))
    is_pixel = ~np.isnan(data)
    errors = (found.astype(float) - data)[is_pixel]
    said, _ = achieved(tmp_path / "file.h5")
    assert said["chunks"] == 3 and said["most"] == pytest.approx(np.abs(errors).max(), rel=1e-5) and said["most"] > 0
    assert said["mean"] == pytest.approx(errors.mean(), rel=1e-2, abs=1e-6)
    assert said["square"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-3)
    assert said["to_zero"] == ((found == 0) & (data != 0)).sum() and said["from_zero"] == 0 and "sigma" not in said
    text = darkchunk.explain(tmp_path / "file.h5")
    assert ("no pixel is off by more than 0.5\n" if "absolute" in given else "0.001 times the range") in text


def test_the_promise_is_in_words(tmp_path):
    path = tmp_path / "file.h5"
    noise = darkchunk.Bounded(noise=1, gain=2.05, offset=-98, variance=4.5)
    for codec, text in [
        (darkchunk.Bounded(), "promised: every pixel is exact"),
        (darkchunk.Bounded(absolute=4), "promised: no pixel is off by more than 4"),
        (noise, "off by more than 0.5 standard deviations (gain 2.05, offset -98, read variance 4.5)"),
    ]:
        stored(path, counts("<u2"), codec)
        assert text in darkchunk.explain(path)
    assert achieved(path)[0]["most"] > 0
    stored(path, counts("<u2"), darkchunk.Bitshuffle())
    assert "promised" not in darkchunk.explain(path)


def test_chunks_that_say_nothing_are_counted(tmp_path):
    path = tmp_path / "file.h5"
    stored(path, counts("<u2"), darkchunk.Bounded(absolute=2))
    with h5py.File(path, "r+") as file:
        dataset = file["frames"]
        _, chunk = dataset.id.read_direct_chunk((0, 0, 0))
        dataset.id.write_direct_chunk((0, 0, 0), chunk[:40] + b"\xff" + chunk[41:])
        dataset.id.write_direct_chunk((4, 0, 0), counts("<u2")[:4].tobytes(), filter_mask=1)
    found, line = achieved(path)
    assert found["chunks"] == 1 and "1 chunks stored without the filter" in line and "1 chunks damaged" in line
