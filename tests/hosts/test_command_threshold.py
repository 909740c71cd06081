"""`darkchunk threshold`: its numbers are those of numpy, for spots of known charge."""

import re

import h5py
import numpy as np
import pytest

from common import DRLE
from test_command import lines, run

RANDOM = np.random.default_rng(3)
SPOT = np.array([[16, 40, 16], [40, 100, 40], [16, 40, 16]])


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """Twelve shots after four dark frames, with an offset that is another one in each column."""
    pixels = np.zeros((16, 120, 160), "i8")
    peaks = []
    for frame in pixels[4:]:
        for row in range(4, 110, 12):
            for column in range(4, 150, 12):
                peak = int(RANDOM.choice([50, 100, 400]))
                peaks.append(peak)
                frame[row : row + 3, column : column + 3] = SPOT * peak // 100
    offset = 90 + np.arange(160) % 7
    path = tmp_path_factory.mktemp("threshold") / "run.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=(pixels + offset).astype("u2"), chunks=(1, 120, 160), compression="gzip")
        file["dark"] = np.broadcast_to(offset, (120, 160)).astype("u2")
    return path, pixels[4:], np.array(peaks)


def test_the_numbers_are_those_of_numpy(shots, tmp_path):
    path, x, peaks = shots
    thresholds = [5, 9, 17, 41, 101, 500]
    for dark in [("--dark", f"{path}:/dark", "--sigma", 1), ("--dark-frames", "0..4")]:
        (found,) = lines("threshold", f"{path}:/entry/data", *dark, "--thresholds", ",".join(map(str, thresholds)), "--sample", 100, "-j", 2)
        first = 4 if "--dark-frames" in dark else 0
        assert found["sample"] == list(range(4 - 4 + first, 16))
        levels = found["report"]["levels"]
        for threshold, level, ratio in zip(thresholds, levels, found["ratios"]):
            kept = np.where(x >= threshold, x, 0)
            n_pixels = (16 - first) * 120 * 160
            assert level["bright"] == pytest.approx((kept > 0).sum() / n_pixels, abs=1e-12)
            assert level["counts_lost"] == pytest.approx(1 - kept.sum() / x.sum(), abs=1e-12)
            spots = level["spots"]
            assert spots["n_lost"] == (peaks < threshold).sum()
            for entry in spots["classes"]:
                among = [peak for peak in (50, 100, 400) if entry["peak"][0] <= peak <= entry["peak"][1]]
                charge = [(SPOT * peak // 100) for peak in among]
                lost = [1 - one[one >= threshold].sum() / one.sum() for one in charge]
                assert len(lost) == 1 and entry["charge_lost"] == pytest.approx(lost[0], abs=1e-12)
                assert entry["centroid_shift"] == pytest.approx(0, abs=1e-12)
    # The ratio is that of a file which has the frames so.
    with h5py.File(tmp_path / "drle.h5", "w") as file:
        stored = file.create_dataset("x", data=x.astype("u2"), chunks=(1, 120, 160), compression=DRLE, compression_opts=(17,))
        assert found["ratios"][2] == pytest.approx(x.size * 2 / stored.id.get_storage_size(), rel=1e-9)


def test_without_dark_frames_sigma_is_of_the_shots(tmp_path):
    noise = RANDOM.normal(0, 3, (8, 200, 200)).round()
    noise[:, 50:52, 50:52] = 500
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=noise.astype("i2"), chunks=(1, 200, 200))
    (found,) = lines("threshold", tmp_path / "a.h5")
    assert found["sigma"] == pytest.approx(3, rel=0.2) and "median" in found["sigma_from"]
    levels = found["report"]["levels"]
    assert len(levels) == len(found["ratios"]) == 12 and sorted(found["ratios"]) == found["ratios"]
    spots = levels[0]["spots"]["classes"]
    assert [entry["n"] for entry in spots if entry["peak"][0] >= 256] == [8]
    text = run("threshold", tmp_path / "a.h5", "-v")
    assert max(map(len, text.splitlines()[1:])) <= 80 and "by the brightest pixel" in text


def test_the_page_needs_nothing_else(shots, tmp_path):
    page = tmp_path / "page.html"
    run("threshold", f"{shots[0]}:/entry/data", "--dark", f"{shots[0]}:/dark", "--html", page, "-q")
    text = page.read_text()
    assert len(text) < 1_000_000 and text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")
    assert not re.search(r"(src|href)=\"(?!data:)|https?:|<script|@import|url\(", text)
    for part in ["Charge lost", "Hits lost", "Centroid shift", "Ratio", "threshold"]:
        assert part in text, part
    assert text.count("data:image/png;base64,") == 3 and text.count("<polyline") >= 6


def test_what_means_nothing_is_said(shots):
    path = shots[0]
    assert "no dark frames" in run("threshold", f"{path}:/entry/data", "--dark-frames", "20..30", code=2)
    assert "1 to 65535" in run("threshold", f"{path}:/entry/data", "--thresholds", "0,5", code=2)
    with h5py.File(path.parent / "other.h5", "w") as file:
        file["x"] = np.zeros((3, 50, 50), "u2")
        file["y"] = np.zeros((3, 50, 50), "f4")
    assert "the dark image has 50 x 50" in run("threshold", f"{path}:/entry/data", "--dark", f"{path.parent}/other.h5:/x", code=2)
    assert "no frames of integers" in run("threshold", f"{path.parent}/other.h5:/y", code=2)
