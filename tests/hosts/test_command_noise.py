"""The command's verb `noise` on files of h5py: the noise that is found is that of the frames."""

import h5py
import numpy as np
import pytest

from test_command import lines, run

SHAPE = (12, 60, 80)
RANDOM = np.random.default_rng(5)
PHOTONS = RANDOM.poisson(np.linspace(300, 9000, 60 * 80).reshape(60, 80), SHAPE)


def stored(path, data):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, chunks=(1, 60, 80), compression="gzip")
    return f"{path}:/data"


def test_gain_and_offset_are_those_of_the_camera_and_compare_takes_them(tmp_path):
    raw = stored(tmp_path / "raw.h5", (2.5 * PHOTONS + 100).round().astype("u2"))
    (found,) = lines("noise", raw)
    assert (found["file"], found["path"]) == (str(tmp_path / "raw.h5"), "/data")
    model = found["model"]
    assert found["verb"] == "noise" and found["doubts"] == []
    assert abs(model["gain"] - 2.5) < 5 * found["gain_error"] < 0.3
    assert model["gain"] * (10_000 - model["offset"]) == pytest.approx(2.5 * 9900, rel=0.06)
    text = run("noise", raw, "-v")
    noise = next(line for line in text.splitlines() if line.startswith("--noise ")).split()[1]
    assert run("compare", raw, "--codec", "bounded:noise=1", "--noise", noise).startswith("PASSES")


def test_what_is_no_photon_noise_ends_with_1_and_what_is_nothing_with_2(tmp_path):
    scaled = stored(tmp_path / "scaled.h5", (PHOTONS // 8 * 8).astype("i4"))
    assert "multiples of 8" in run("noise", scaled, code=1)
    run("noise", stored(tmp_path / "few.h5", PHOTONS[:2].astype("u2")), code=2)
    run("noise", stored(tmp_path / "floats.h5", PHOTONS.astype("f4")), code=2)


def test_data_that_were_stored_with_loss_are_doubted(tmp_path):
    raw = stored(tmp_path / "raw.h5", PHOTONS.astype("u2"))
    run("convert", tmp_path / "raw.h5", "-o", tmp_path / "steps.h5", "--to", "bounded:noise=1", "--lossy")
    run("convert", tmp_path / "raw.h5", "-o", tmp_path / "cut.h5", "--to", "drle:20", "--lossy")
    (exact,) = lines("noise", raw)
    assert exact["doubts"] == []
    for name in ("steps", "cut"):
        (found,) = lines("noise", raw.replace("raw.h5", f"{name}.h5"), code=1)
        assert any("stored with loss" in doubt for doubt in found["doubts"]), found["doubts"]
    # Also where the file says nothing of it.
    run("convert", tmp_path / "steps.h5", "-o", tmp_path / "plain.h5", "--to", "none")
    (found,) = lines("noise", raw.replace("raw.h5", "plain.h5"), code=1)
    assert any("gaps on both sides" in doubt for doubt in found["doubts"]), found["doubts"]
