"""`compare`: the numbers of files and arrays, and what cannot be compared."""

import h5py
import numpy as np
import pytest

import darkchunk

FRAMES = np.random.default_rng(3).poisson(900, (6, 40, 50)).astype("u2")
COARSE = (FRAMES // 8 * 8 + 4).astype("u2")


def test_arrays_and_files_give_the_same_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = FRAMES, COARSE
    of_arrays = darkchunk.compare(FRAMES, COARSE)
    of_files = darkchunk.compare(f"{tmp_path}/a.h5:/x", f"{tmp_path}/a.h5:/y", sample=None)
    error = COARSE.astype("i8") - FRAMES
    assert of_arrays["report"]["errors"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-12)
    assert of_arrays["report"]["errors"] == of_files["report"]["errors"]
    assert of_arrays["verdict"]["passes"] and of_files["sample"] == []


def test_a_codec_is_applied_and_limits_are_ones_own(tmp_path):
    found = darkchunk.compare(
        FRAMES, codec="bounded:noise=1", limits={"inflation": 1.001}, html=tmp_path / "page.html", threads=1
    )
    assert not found["verdict"]["passes"] and found["ratio"] > 3
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert found["ratio"] == darkchunk.compare(FRAMES, codec=darkchunk.Bounded(noise=1))["ratio"]
    found = darkchunk.compare(FRAMES, codec="bounded:noise=1/2", noise=(2.0, 10.0, 4.0), technique="mx")
    assert found["settings"]["noise"] == {"gain": 2.0, "offset": 10.0, "read_variance": 4.0}
    assert "peaks" in found["technique"]


def test_floats_are_compared_in_their_own_unit(tmp_path):
    volume = np.random.default_rng(4).normal(2, 3, (5, 40, 50)).astype("f4")
    volume[0, :2], volume[1, 3] = np.nan, -9999
    found = darkchunk.compare(volume, codec=darkchunk.Bounded(absolute=0.25, sentinels=(-9999.0,)), sentinels=[-9999])
    assert found["verdict"]["passes"] and found["ratio"] > 3 and found["element"] == "float32"
    assert 0.24 < found["report"]["errors"]["max_error"] <= 0.25
    assert found["report"]["pixels"]["excluded"] == {
        "n_masked": 150,
        "n_masked_changed": 0,
        "n_saturated": 0,
        "n_saturated_changed": 0,
        "n_became_invalid": 0,
    }
    other = np.nan_to_num(volume) * np.float32(1.5)
    found = darkchunk.compare(volume, other, sentinels=[-9999])
    broken = [check["name"] for check in found["verdict"]["checks"] if not check["is_kept"]]
    assert broken == ["flux", "changed_excluded"]
    error = (other.astype(float) - volume)[np.isfinite(volume) & (volume != -9999)]
    assert found["report"]["errors"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-12)


def test_masked_pixels_and_sentinels_do_not_count():
    mask = np.zeros((40, 50), bool)
    mask[3, 4] = True
    bad = FRAMES.copy()
    bad[:, 3, 4] = 65_535
    found = darkchunk.compare(FRAMES, bad, mask=mask, sentinels=[1], saturation=5000, data_range=1000)
    assert found["report"]["errors"]["max_error"] == 0
    assert found["report"]["pixels"]["excluded"]["n_masked_changed"] == 6


def test_what_cannot_be_compared_is_an_error_that_says_why(tmp_path):
    with pytest.raises(darkchunk.ArgumentError, match="either test or codec"):
        darkchunk.compare(FRAMES)
    with pytest.raises(darkchunk.ArgumentError, match="float16"):
        darkchunk.compare(FRAMES.astype("f2"), FRAMES)
    with pytest.raises(darkchunk.ArgumentError, match="not real numbers"):
        darkchunk.compare(FRAMES.astype("f4"), FRAMES)
    with pytest.raises(darkchunk.ArgumentError, match="--technique is for counts"):
        darkchunk.compare(FRAMES.astype("f4"), codec="bounded:absolute=1", technique="mx")
    with pytest.raises(darkchunk.ArgumentError, match="same shape"):
        darkchunk.compare(FRAMES, FRAMES[:3])
    with pytest.raises(darkchunk.ArgumentError, match="not known"):
        darkchunk.compare(FRAMES, codec="jpeg")
    with pytest.raises(darkchunk.Error, match="missing"):
        darkchunk.compare(tmp_path / "missing.h5", FRAMES)
