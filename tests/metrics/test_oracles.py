"""The numbers of `darkchunk-metrics` are those of numpy in int64 and float64, scipy and scikit-image.

    pip install -r tests/metrics/requirements.txt
    python -m pytest tests/metrics

`cargo xtask prove metrics` installs these. What they need beside numpy and is not installed skips a test.
"""

import numpy
import pytest
from seeded import random

def package(name):
    return pytest.importorskip(name, reason=f"no {name}: pip install -r tests/metrics/requirements.txt")


def projections():
    x = random(1).poisson(20_000 * numpy.exp(-numpy.linspace(0, 2, 80))[None, None, :] * numpy.ones((4, 60, 1))).astype("uint16")
    y = numpy.rint((2 * numpy.sqrt(x)).round() ** 2 / 4).astype("uint16")
    return x, y, 20_000.0


def photons():
    x = random(2).poisson(0.3, (4, 60, 80)).astype("uint32")
    y = numpy.where(x > 1, x + random(3).integers(-1, 2, x.shape), x).astype("uint32")
    return x, y, 10.0


def large():
    x = random(4).integers(0, 2**32 - 2000, (3, 60, 80)).astype("uint32")
    y = (x.astype("int64") + random(5).integers(0, 1000, x.shape)).astype("uint32")
    return x, y, 2.0**32


def negative():
    x = random(6).integers(-300, 300, (3, 60, 80)).astype("int16")
    y = numpy.rint(x / 9).astype("int16") * 9
    return x, y, 600.0


def bytes_of_a_camera():
    x = random(7).poisson(40, (3, 60, 80)).clip(0, 255).astype("uint8")
    y = (x // 8 * 8).astype("uint8")
    return x, y, 255.0


CASES = [projections, photons, large, negative, bytes_of_a_camera]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.__name__)
def case(request, numbers):
    x, y, data_range = request.param()
    report, _verdict, _technique = numbers(x, y, data_range)
    return x.astype("int64"), y.astype("int64"), data_range, report


def close(relative=1e-9):
    return lambda value: pytest.approx(value, rel=relative, abs=1e-12)


def test_errors_are_those_of_numpy(case):
    x, y, data_range, report = case
    e = y - x
    about, errors = close(), report["errors"]
    magnitudes = numpy.sort(abs(e), axis=None)[::-1]
    assert errors["max_error"] == magnitudes[0]
    assert (errors["max_error_10th"], errors["max_error_100th"]) == (magnitudes[9], magnitudes[99])
    assert errors["bias"] == about(e.mean())
    assert errors["bias_error_if_independent"] == about(e.std(ddof=1) / numpy.sqrt(e.size))
    rmse = numpy.sqrt((e.astype("float64") ** 2).mean())
    assert errors["rmse"] == about(rmse)
    assert errors["nrmse"] == about(rmse / (x.max() - x.min()))
    assert errors["flux"] == about(y.sum() / x.sum() - 1) or abs(errors["flux"] - (y.sum() / x.sum() - 1)) < 1e-12
    slope, intercept = numpy.polyfit(x.ravel().astype("float64"), y.ravel().astype("float64"), 1)
    assert errors["line"][1] == close(1e-7)(slope)
    assert errors["line"][0] == pytest.approx(intercept, abs=1e-6 * (1 + abs(x).max()))


def test_psnr_is_that_of_scikit_image(case):
    x, y, data_range, report = case
    skimage = package("skimage.metrics")
    expected = skimage.peak_signal_noise_ratio(x.astype("float64"), y.astype("float64"), data_range=data_range)
    assert report["errors"]["psnr"] == close()(expected)


def test_ssim_is_that_of_scikit_image(case):
    x, y, data_range, report = case
    skimage = package("skimage.metrics")
    # Its sums in float64 lose digits where values are large; ours are exact.
    tolerance = 1e-9 if x.max() < 1e6 else 1e-4
    frames = [
        skimage.structural_similarity(a.astype("float64"), b.astype("float64"), win_size=7, data_range=data_range)
        for a, b in zip(x, y)
    ]
    assert report["sample"]["ssim"] == pytest.approx(numpy.mean(frames), abs=tolerance)
    worst, frame = report["sample"]["ssim_worst_frame"]
    assert worst == pytest.approx(min(frames), abs=tolerance)
    assert frames[frame] <= min(frames) + tolerance


def test_pearson_is_that_of_scipy(case):
    stats = package("scipy.stats")
    x, y, _, report = case
    assert report["errors"]["pearson"] == pytest.approx(stats.pearsonr(x.ravel(), y.ravel()).statistic, abs=1e-9)
    e = (y - x).ravel()
    assert report["errors"]["error_correlation"] == pytest.approx(stats.pearsonr(x.ravel(), e).statistic, abs=1e-7)


def test_kolmogorov_smirnov_is_that_of_scipy(case):
    stats, special = package("scipy.stats"), package("scipy.special")
    x, y, _, report = case
    found = report["sample"]["ks"]
    expected = stats.ks_2samp(x.ravel(), y.ravel(), method="asymp")
    # Values of 65536 and more are taken together with those near them: D is smaller by what such a bin holds, at most.
    assert found["d"] == pytest.approx(expected.statistic, abs=1e-12 if x.max() < 65_536 else 2e-3)
    # p is that of the limit distribution; scipy's has a correction for the size.
    assert found["p"] == pytest.approx(special.kolmogorov(numpy.sqrt(x.size / 2) * found["d"]), rel=1e-9, abs=1e-300)
    assert found["p"] == pytest.approx(expected.pvalue, abs=0.02)


def test_autocorrelation_is_that_of_numpy(case):
    x, y, _, report = case
    e = (y - x).astype("float64")
    square = (e**2).mean()

    def slices(d, size):
        return slice(max(-d, 0), size - max(d, 0)), slice(max(d, 0), size - max(-d, 0))

    for lag in report["sample"]["autocorrelation"]:
        (a_row, b_row), (a_column, b_column) = slices(lag["dy"], 60), slices(lag["dx"], 80)
        now, other = (e, e) if lag["dt"] == 0 else (e[1:], e[:-1])
        products = now[:, a_row, a_column] * other[:, b_row, b_column]
        assert lag["n"] == products.size
        assert lag["rho"] == pytest.approx(products.mean() / square, abs=1e-9), lag


def test_errors_in_sigma_are_those_of_numpy(case):
    x, y, _, report = case
    with_noise = x > 0
    ratio = abs(y - x)[with_noise] / numpy.sqrt(x[with_noise])
    sigma = report["sigma"]
    assert sigma["max"] == close()(ratio.max())
    assert sigma["inflation"] == pytest.approx(numpy.sqrt(1 + (ratio**2).mean()), rel=1e-8)
    exact = numpy.quantile(ratio, 0.999, method="inverted_cdf")
    assert -1e-6 * exact <= sigma["quantile_999"] - exact <= 1 / 64 or exact > 32
    assert sigma["n_without_sigma"] == (~with_noise).sum()


def test_flux_of_frames_is_that_of_numpy(case):
    x, y, _, report = case
    variance = numpy.maximum(x.sum(axis=(1, 2)), 0).astype("float64")
    if (variance == 0).any():
        return
    z = (y - x).sum(axis=(1, 2)) / numpy.sqrt(variance)
    flux = report["flux"]
    assert flux["worst_in_sigma"] == pytest.approx(z[numpy.argmax(abs(z))], rel=1e-9)
    assert flux["rms_in_sigma"] == pytest.approx(numpy.sqrt((z**2).mean()), rel=1e-8, abs=1e-10)


def test_dispersion_is_that_of_numpy(case):
    x, y, _, report = case
    usable = (x.sum(axis=0) > 0) & (y.sum(axis=0) > 0)
    found = report["sample"]["dispersion"]
    assert found["n_pixels"] == usable.sum()
    for name, data in [("before", x), ("after", y)]:
        data = data.astype("float64")[:, usable]
        expected = ((data - data.mean(axis=0)) ** 2).sum(axis=0) / data.mean(axis=0) / (len(data) - 1)
        assert found[name] == pytest.approx(expected.mean(), rel=1e-7)


def test_spots_are_those_of_scipy_ndimage(case):
    ndimage = package("scipy.ndimage")
    x, y, _, report = case
    spots = report["sample"]["spots"]
    if (x > 0).mean(axis=(1, 2)).min() > 0.25:
        assert spots is None
        return
    peaks, charges, lost, shifts = [], [], [], []
    for before, after in zip(x, y):
        labels, n_labels = ndimage.label(before > 0, structure=numpy.ones((3, 3)))
        each = range(1, n_labels + 1)
        peaks += list(ndimage.maximum(before, labels, each))
        charges += list(zip(ndimage.sum_labels(before, labels, each), ndimage.sum_labels(after, labels, each)))
        lost += list(ndimage.maximum(after, labels, each) <= 0)
        with numpy.errstate(invalid="ignore"):
            centres = [numpy.array(ndimage.center_of_mass(frame, labels, each)) for frame in (before, after.clip(0))]
        shifts += list(numpy.hypot(*(centres[1] - centres[0]).T))
    peaks, charges, lost, shifts = map(numpy.array, (peaks, charges, lost, shifts))
    assert spots["n_lost"] == lost.sum()
    assert sum(spot["n"] for spot in spots["classes"]) == len(peaks)
    for spot in spots["classes"]:
        of = (peaks >= spot["peak"][0]) & (peaks <= spot["peak"][1])
        assert (spot["n"], spot["n_lost"]) == (of.sum(), lost[of].sum())
        before, after = charges[of].T
        assert spot["charge_change"] == pytest.approx(after.sum() / before.sum() - 1, abs=1e-12)
        assert spot["charge_lost"] == pytest.approx((1 - after / before).mean(), abs=1e-9)
        kept = shifts[of & ~lost]
        assert spot["centroid_shift"] == pytest.approx(kept.mean() if kept.size else 0, abs=1e-9)
        assert spot["max_centroid_shift"] == pytest.approx(kept.max() if kept.size else 0, abs=1e-12)
