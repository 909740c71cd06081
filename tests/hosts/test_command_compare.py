"""The command's verb `compare` on files of h5py: its numbers are numpy's, its verdict ends the program."""

import json
import os
import re
import resource
import subprocess
import sys
import time
import zlib

import h5py
import numpy as np
import pytest

from test_command import COMMAND, lines, run
from test_command_field import IS_PROOF, peak

SHAPE = (12, 60, 80)
RANDOM = np.random.default_rng(5)
PHOTONS = RANDOM.poisson(0.02, SHAPE).astype("u2")
PROJECTIONS = RANDOM.poisson(9000 * np.exp(-np.linspace(0, 1, 80)) * np.ones(SHAPE)).astype("u2")


def stored(path, data, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data/data", data=data, **options)
        file["entry/other"] = np.arange(10)
    return path


def test_two_files_are_compared_and_the_numbers_are_those_of_numpy(tmp_path):
    decoded = (PROJECTIONS // 16 * 16 + 8).astype("u2")
    raw = stored(tmp_path / "raw.h5", PROJECTIONS, chunks=(4, 60, 80), compression="gzip")
    lossy = stored(tmp_path / "lossy.h5", decoded, chunks=(1, 60, 80), compression="gzip", shuffle=True)
    (found,) = lines("compare", raw, lossy)
    x, y = PROJECTIONS.astype("i8"), decoded.astype("i8")
    e = y - x
    assert (found["verb"], found["schema"], found["path"]) == ("compare", 1, "/entry/data/data")
    assert (found["reference_crc32"], found["test_crc32"]) == (zlib.crc32(PROJECTIONS.tobytes()), zlib.crc32(decoded.tobytes()))
    report = found["report"]
    assert report["errors"]["max_error"] == abs(e).max()
    assert report["errors"]["rmse"] == pytest.approx(np.sqrt((e**2).mean()), rel=1e-12)
    assert report["sigma"]["max"] == pytest.approx((abs(e) / np.sqrt(x)).max(), rel=1e-12)
    with h5py.File(lossy) as file:
        stored_bytes = file["entry/data/data"].id.get_storage_size()
    assert found["test_stored"] == stored_bytes and found["ratio"] == pytest.approx(x.size * 2 / stored_bytes)
    assert found["verdict"]["passes"] and {check["name"] for check in found["verdict"]["checks"]} >= {"bias", "max_error"}


def test_photons_that_are_gone_fail_and_steps_of_sigma_pass(tmp_path):
    sparse = stored(tmp_path / "sparse.h5", PHOTONS, chunks=(4, 60, 80))
    text = run("compare", sparse, "--codec", "bounded:absolute=4", code=1)
    assert text.startswith("FAILS") and "counts_to_zero" in text
    assert all(len(line) <= 80 for line in text.splitlines() if " " in line.strip())
    projections = stored(tmp_path / "projections.h5", PROJECTIONS, chunks=(4, 60, 80))
    assert run("compare", projections, "--codec", "bounded:noise=1").startswith("PASSES")
    assert run("compare", projections, "--codec", "bounded:noise=1", "-q") == ""
    limits = tmp_path / "limits.json"
    limits.write_text('{"inflation": 1.001}')
    assert "BROKEN inflation" in run("compare", projections, "--codec", "bounded:noise=1", "--limits", limits, code=1)


def test_the_report_is_one_page_that_needs_nothing_else(tmp_path):
    raw = stored(tmp_path / "raw.h5", PROJECTIONS, chunks=(4, 60, 80))
    page = tmp_path / "report.html"
    run("compare", raw, "--codec", "bounded:noise=1", "--html", page)
    text = page.read_text()
    assert len(text) < 3_000_000 and text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")
    assert not re.search(r"(src|href)=\"(?!data:)|https?:|<script|@import|url\(", text)
    for part in ["PASSES", "Errors in sigma", "Bias by intensity", "Error map", "Autocorrelation", "reference", "difference"]:
        assert part in text, part
    assert text.count("data:image/png;base64,") == 10


def test_a_sweep_finds_the_largest_bound_that_keeps_the_limits(tmp_path):
    raw, page = stored(tmp_path / "raw.h5", PROJECTIONS, chunks=(4, 60, 80)), tmp_path / "sweep.html"
    *tried, last = lines("compare", raw, "--sweep", "--codec", "zstd:3", "--codec", "drle:9000", "--html", page)
    assert last["largest_bound"] == "bounded:noise=1" and last["tried"][:2] == ["zstd:3", "drle:9000"]
    passes = dict(zip(last["tried"], (found["verdict"]["passes"] for found in tried), strict=True))
    assert passes["zstd:3"] and not passes["drle:9000"]
    assert passes["bounded:noise=1"] and not passes["bounded:noise=3/2"]
    (alone,) = lines("compare", raw, "--codec", "bounded:noise=3/2", code=1)
    (swept,) = (found for found in tried if found["test"] == alone["test"])
    assert swept["report"] == alone["report"]
    text = page.read_text()
    assert "bounded:noise=1<" in text and len(text) < 100_000 and not re.search(r"https?:|<script|@import|url\(", text)
    assert "several codecs" in run("compare", raw, "--codec", "lz4", "--codec", "zstd", code=2)


def test_a_sweep_without_sigma_is_in_counts_and_fails_where_photons_are_lost(tmp_path):
    raw = stored(tmp_path / "raw.h5", PHOTONS, chunks=(4, 60, 80))
    text = run("compare", raw, "--sweep", "--noise", "none", code=1)
    assert text.startswith("No bound keeps all limits") and "bounded:absolute=64" in text
    assert all(len(line) <= 80 for line in text.splitlines() if " " in line.strip())


def test_rings_are_those_of_numpy_and_small_losses_break_their_limits(tmp_path):
    row, column = np.indices(SHAPE[1:])
    radius = np.hypot(row - 30.5, column - 40)
    x = np.random.default_rng(1).poisson(20 + 80 * np.exp(-((radius - 18) ** 2) / 8) * np.ones(SHAPE)).astype("u2")
    raw, cut = stored(tmp_path / "raw.h5", x), stored(tmp_path / "cut.h5", x // 2 * 2)
    page = tmp_path / "report.html"
    options = ["--technique", "saxs=30.5,40,2", "--html", page]
    (found,) = lines("compare", raw, cut, *options, code=1)
    ring = radius // 2 == 9
    expected = x[:, ring].mean(), np.sqrt(x[:, ring].sum()) / x[:, ring].size, (x // 2 * 2)[:, ring].mean()
    (of_ring,) = (of_ring for of_ring in found["technique"]["radial"]["rings"] if of_ring["radius"] == 19)
    assert (of_ring["before"], of_ring["sigma"], of_ring["after"]) == pytest.approx(expected, rel=1e-12)
    broken = {check["name"] for check in found["verdict"]["checks"] if not check["is_kept"]}
    assert {"ring_residual", "ring_bias"} <= broken
    assert page.read_text().count("<polyline") == 4
    assert "ring_bias" not in run("compare", raw, cut, code=1)
    assert "peaks: " in run("compare", raw, raw, "--technique", "mx")
    assert "saxs=ROW,COLUMN" in run("compare", raw, raw, "--technique", "tomo", code=2)


def test_the_covariance_map_is_that_of_numpy_and_a_threshold_that_is_too_high_breaks_its_limit(tmp_path):
    row, column = np.indices(SHAPE[1:])
    ring = (np.hypot(row - 30, column - 40) / 4).astype(int)
    random = np.random.default_rng(2)
    # Rings 3 and 6 are bright together.
    together = random.poisson(2, 48)[:, None, None] * np.isin(ring, (3, 6))
    x = random.poisson(1 + 5 * together).astype("u2")
    raw, page = stored(tmp_path / "raw.h5", x), tmp_path / "report.html"
    options = ["--technique", "vmi=30,40,4", "--html", page]
    (found,) = lines("compare", raw, "--codec", "drle:40", *options, code=1)
    numbers = found["technique"]["covariance"]
    sums = [np.array([frame[ring == at].sum() for frame in frames]) for at in (3, 6) for frames in (x, x * (x >= 40))]
    expected = {"radius": 14, "before": sums[0].mean(), "after": sums[1].mean()}
    assert numbers["distribution"][3] == pytest.approx(expected, rel=1e-12)
    if numbers["worst"]["radii"] == [14, 26]:
        assert numbers["worst"]["before"] == pytest.approx(np.cov(sums[0], sums[2])[0, 1], rel=1e-9)
        assert numbers["worst"]["after"] == pytest.approx(np.cov(sums[1], sums[3])[0, 1], rel=1e-9)
    assert "covariance" in {check["name"] for check in found["verdict"]["checks"] if not check["is_kept"]}
    assert "Covariance map of the" in page.read_text()
    assert "covariance map" in run("compare", raw, raw, "--technique", "vmi=30,40,4")


def test_steps_of_sigma_keep_the_resolution_of_a_scan_and_those_of_four_do_not(tmp_path):
    angles, columns = np.pi * np.arange(160) / 160, np.arange(96)
    depth = np.zeros((160, 96))
    for across, down, radius, attenuation in [(0, 0, 38, 0.02), (12, 8, 9, 0.03), (-14, 5, 4, 0.03), (4, -15, 2, 0.05)]:
        middle = 47.5 + across * np.cos(angles) - down * np.sin(angles)
        depth += 2 * attenuation * np.sqrt(np.clip(radius**2 - (columns - middle[:, None]) ** 2, 0, None))
    ripple = 1 + 0.2 * np.sin(np.arange(32) / 2)
    scan = np.random.default_rng(3).poisson(5000 * np.exp(-depth[:, None, :] * ripple[:, None])).astype("u2")
    raw, page = stored(tmp_path / "raw.h5", scan, chunks=(8, 32, 96)), tmp_path / "report.html"
    (found,) = lines("compare", raw, "--codec", "bounded:noise=1", "--technique", "tomography=10+20", "--html", page)
    (first, second) = found["technique"]["tomography"]["slices"]
    assert (first["row"], second["row"], first["side"]) == (10, 20, 95)
    assert {"frc", "contrast_to_noise", "slice_ssim"} <= {check["name"] for check in found["verdict"]["checks"]}
    html = page.read_text()
    assert html.count('aria-label="Fourier ring correlation"') == 3 and html.count("Slice of row 10, 95 x 95 pixels") == 1
    row = "--technique=tomography=10,47.5,180"
    assert "frc" in run("compare", raw, "--codec", "bounded:noise=4", row, code=1)
    assert "resolution: projections" in run("compare", raw, "--codec", "bounded:exact", row)
    assert "rows within the frame" in run("compare", raw, raw, "--technique=tomography=32", code=2)


def test_correlations_in_time_are_by_label(tmp_path):
    raw = stored(tmp_path / "raw.h5", PHOTONS)
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        file["q"] = np.arange(60 * 80, dtype=">i2").reshape(60, 80) % 3 - 1
        file["short"] = np.ones(5, "u1")
    # Photons that come at random: what g2 is there, but it may not decay.
    (found,) = lines("compare", raw, raw, "--technique", f"xpcs={tmp_path / 'labels.h5'}:/q", code=None)
    (label,) = found["technique"]["correlation"]
    assert (label["label"], label["n_pixels"]) == (1, 1600)
    pixels = PHOTONS.reshape(12, -1)[:, 2::3].astype("f8")
    mean = pixels.mean(axis=1)
    g2 = np.mean((pixels[:-1] * pixels[1:]).mean(axis=1) / mean[:-1] / mean[1:])
    assert label["g2"][0]["before"] == pytest.approx(g2, rel=1e-12) and label["g2"][0]["lag"] == 1
    assert "one for each pixel" in run("compare", raw, raw, "--technique", f"xpcs={tmp_path / 'labels.h5'}:/short", code=2)


def test_what_was_found_is_kept_beside_the_data_and_verify_shows_it(tmp_path):
    raw = stored(tmp_path / "raw.h5", PROJECTIONS)
    lossy = stored(tmp_path / "lossy.h5", (PROJECTIONS // 16 * 16 + 8).astype("u2"), chunks=(1, 60, 80), compression="gzip")
    (found,) = lines("compare", raw, lossy, "--store")
    with h5py.File(lossy) as file:
        assert json.loads(file["entry/data/data"].attrs["darkchunk_comparison"]) == found
    text = " ".join(run("verify", lossy).split())
    assert "compared with" in text and "all limits were kept" in text
    # It may be judged again.
    limits = tmp_path / "limits.json"
    limits.write_text('{"max_error": 0.001}')
    run("compare", raw, lossy, "--store", "--limits", limits, code=1)
    proofs = [line["comparison"] for line in lines("verify", lossy) if line["comparison"]]
    assert proofs == [
        {"reference": f"{raw}:/entry/data/data", "version": found["version"], "passes": False, "broken": ["max_error"], "holds": True}
    ]
    with h5py.File(lossy, "r+") as file:
        file["entry/data/data"][3, 4, 5] += 1
    assert "not those that were compared" in " ".join(run("verify", lossy, code=1).split())
    with h5py.File(lossy, "r+") as file:
        file["entry/data/data"].attrs["darkchunk_comparison"] = "{}"
    assert "not what `darkchunk compare --store` writes" in " ".join(run("verify", lossy, code=2).split())
    assert "HDF5 file" in run("compare", raw, raw, "--html", lossy, code=2)


def limited(n_bytes, *arguments):
    """Runs the command where no file gets longer than this."""
    command = [str(word) for word in (COMMAND, *arguments)]

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, preexec_fn=limit, restore_signals=False, timeout=300
    )


def test_on_a_full_disk_the_file_is_whole_and_there_is_no_half_page(tmp_path):
    raw = stored(tmp_path / "raw.h5", PROJECTIONS)
    lossy = stored(tmp_path / "lossy.h5", (PROJECTIONS // 16 * 16 + 8).astype("u2"), chunks=(1, 60, 80), compression="gzip")
    lossy.chmod(0o640)
    before, codes = lossy.read_bytes(), []
    for n_bytes in [1000, len(before) - 1, len(before), len(before) + 512, len(before) + 3000, len(before) + 200_000]:
        done = limited(n_bytes, "compare", raw, lossy, "--store", "-q")
        codes.append(done.returncode)
        if done.returncode:
            assert "is not stored" in " ".join(done.stderr.split()) and lossy.read_bytes() == before, (n_bytes, done.stderr)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lossy.h5", "raw.h5"]
    assert codes[:4] == [2] * 4 and codes[-1] == 0, codes
    assert "all limits were kept" in " ".join(run("verify", lossy).split()) and lossy.stat().st_mode & 0o777 == 0o640
    page = tmp_path / "page.html"
    for is_there in (False, True):
        done = limited(1000, "compare", raw, lossy, "--html", page)
        assert done.returncode == 2 and "page.html" in done.stderr, done
        assert not page.exists() if not is_there else page.read_text() == "old"
        page.write_text("old")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lossy.h5", "page.html", "raw.h5"]


def test_a_file_that_a_program_writes_to_is_not_replaced_and_what_is_in_memory_has_no_file(tmp_path):
    raw, lossy = stored(tmp_path / "raw.h5", PROJECTIONS), stored(tmp_path / "lossy.h5", PROJECTIONS)
    with h5py.File(lossy, "r+", locking=True):
        before = lossy.stat()
        assert "end that first" in run("compare", raw, lossy, "--store", code=2)
    assert lossy.stat().st_ino == before.st_ino
    link = tmp_path / "link.h5"
    link.symlink_to("lossy.h5")
    run("compare", raw, link, "--store")
    assert link.is_symlink() and "all limits were kept" in " ".join(run("verify", lossy).split())
    assert "--store" in run("compare", raw, "--codec", "zstd", "--store", code=2)


def test_what_cannot_be_compared_ends_with_2_and_a_reason(tmp_path):
    raw = stored(tmp_path / "raw.h5", PROJECTIONS)
    other = stored(tmp_path / "other.h5", PROJECTIONS[:, :50])
    real = stored(tmp_path / "real.h5", PROJECTIONS.astype("f4"))
    assert "same shape" in run("compare", raw, other, code=2)
    half = stored(tmp_path / "half.h5", PROJECTIONS.astype("f2"))
    assert "float16, not real numbers of 32 or 64 bits" in run("compare", half, half, code=2)
    assert "float32, not integers" in run("compare", raw, real, code=2)
    wide = stored(tmp_path / "wide.h5", PROJECTIONS.astype("u8"))
    assert "compared are integers of 8, 16 or 32 bits, float32 and float64" in run("compare", wide, wide, code=2)
    assert "--technique" in run("compare", real, real, "--technique", "mx", code=2)
    assert run("compare", real, real).startswith("PASSES")
    double, little = stored(tmp_path / "double.h5", PROJECTIONS.astype(">f8")), PROJECTIONS.astype("f8")
    little[3, 4, 5] += 0.25
    (found,) = lines("compare", double, stored(tmp_path / "little.h5", little))
    assert found["element"] == "float64 (big-endian)" and found["report"]["errors"]["max_error"] == 0.25
    assert run("compare", double, "--codec", "zstd:3").startswith("PASSES")
    assert "this dataset has float64" in run("compare", double, "--codec", "bounded:exact", code=2)
    assert "not known" in run("compare", raw, "--codec", "jpeg", code=2)
    (tmp_path / "limits.json").write_text('{"inflatoin": 1}')
    assert "inflatoin" in run("compare", raw, raw, "--limits", tmp_path / "limits.json", code=2)


def test_a_technique_that_finds_nothing_fails_in_words_and_in_the_page(tmp_path):
    dark, page = stored(tmp_path / "dark.h5", np.zeros(SHAPE, "u2")), tmp_path / "report.html"
    full = stored(tmp_path / "full.h5", PROJECTIONS)
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        file["q"] = np.ones(SHAPE[1:], "u1")
    one = stored(tmp_path / "one.h5", PROJECTIONS[:1])
    found_nothing = [
        (dark, "mx", "no peak"),
        (dark, "saxs=30,40", "no counts in any of"),
        (dark, "tomography", "no structure"),
        (dark, "vmi", "no spot"),
        (full, "vmi", "no spot"),
        (one, f"xpcs={tmp_path / 'labels.h5'}:/q", "no g2 that decays, of 1 labels and 0 lags"),
    ]
    for raw, technique, why in found_nothing:
        (found,) = lines("compare", raw, raw, "--technique", technique, "--html", page, code=1)
        (broken,) = [check for check in found["verdict"]["checks"] if not check["is_kept"]]
        assert broken["name"] == "nothing_measured" and why in broken["text"], technique
        assert why in page.read_text() and "class=\"verdict broken\">FAILS" in page.read_text(), technique
    text = run("compare", dark, dark, "--technique", "mx", code=1)
    assert "kept peaks" not in text.replace("kept  ", "kept") and "BROKEN nothing_measured" in text


def test_limits_are_an_object_of_what_is_judged(tmp_path):
    raw, real = stored(tmp_path / "raw.h5", PROJECTIONS), stored(tmp_path / "real.h5", PROJECTIONS.astype("f4"))
    limits = tmp_path / "limits.json"
    for text, why in [("[0.1]", "JSON object"), ('{"bias": -1}', "below 0"), ('{"ghosts": -1}', "below 0"), ("7", "JSON object")]:
        limits.write_text(text)
        assert why in " ".join(run("compare", raw, raw, "--limits", limits, code=2).split()), text
    limits.write_text('{"max_error": 0.1}')
    assert "max_error is not judged of real numbers" in " ".join(run("compare", real, real, "--limits", limits, code=2).split())
    limits.write_text('{"flux": 0.5, "max_error": null}')
    (found,) = lines("compare", real, real, "--limits", limits)
    assert found["limits"] == {"flux": 0.5, "changed_excluded": 0}
    assert [found[name] for name in ("technique", "noise_from", "sample")] == [None] * 3
    (of_counts,) = lines("compare", raw, raw)
    assert set(found) == set(of_counts) and found["range_from"] == "max - min of the reference"


def test_masks_sentinels_and_saturation_are_left_out(tmp_path):
    x = PROJECTIONS.copy()
    x[:, 3, 4], x[0, 0, 0], x[1, 0, 0] = 65535, 7, 60_000
    y = x.copy()
    y[0, 10, 10], y[0, 0, 0] = 0, 9
    raw, lossy = stored(tmp_path / "raw.h5", x), stored(tmp_path / "lossy.h5", y)
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        mask = np.zeros(SHAPE[1:], "u1")
        mask[10, 10] = 1
        file["mask"] = mask
    options = ["--mask", f"{tmp_path / 'mask.h5'}:/mask", "--sentinel", 65535, "--sentinel", 7, "--saturation", 50_000]
    (found,) = lines("compare", raw, lossy, *options, code=1)
    excluded = found["report"]["pixels"]["excluded"]
    assert found["report"]["errors"]["max_error"] == 0
    assert (excluded["n_masked"], excluded["n_masked_changed"], excluded["n_saturated"]) == (12 + 12 + 1, 2, 1)


def test_frames_that_no_memory_has_room_for_are_an_error(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (3, 2**24, 2**24), "u2", chunks=(1, 64, 64), compression="lzf")
    assert "memory" in run("compare", tmp_path / "a.h5", tmp_path / "a.h5", code=2)


def virtual(folder, n_repeats):
    """A dataset that shows the same frames again and again, and one that shows them changed."""
    shape = (16, 1024, 1024) if IS_PROOF else (8, 512, 512)
    names = []
    for which in ("x", "y"):
        source, name = folder / f"{which}-source.h5", folder / f"{which}.h5"
        if not source.exists():
            frames = np.random.default_rng(7).poisson(900, shape).astype("u2")
            with h5py.File(source, "w") as file:
                file["data"] = frames if which == "x" else frames // 16 * 16 + 8
        layout = h5py.VirtualLayout((n_repeats * shape[0], *shape[1:]), "u2")
        for at in range(0, layout.shape[0], shape[0]):
            layout[at : at + shape[0]] = h5py.VirtualSource(source.name, "data", shape)
        with h5py.File(name, "w") as file:
            file.create_virtual_dataset("data", layout)
        names.append(name)
    return [*names, n_repeats * int(np.prod(shape)) * 2]


def test_memory_does_not_grow_with_a_virtual_dataset(tmp_path):
    n_all = int(float(os.environ.get("DARKCHUNK_GB", "100")) * 1e9 / (16 << 21)) if IS_PROOF else 48
    found = []
    for n_repeats in (n_all // 4, n_all):
        x, y, n_bytes = virtual(tmp_path, n_repeats)
        begin = time.monotonic()
        found.append(peak("compare", x, y, "-q"))
        seconds = time.monotonic() - begin
        print(f"compare of {n_bytes / 1e9:.2f} GB: peak memory {found[-1] / 1e6:.0f} MB, {n_bytes / seconds / 1e9:.3f} GB/s")
    # HDF5 remembers each mapping of both datasets.
    assert found[1] < found[0] + 40e6 + 20e3 * n_all, found
