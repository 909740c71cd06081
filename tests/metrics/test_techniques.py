"""The numbers of techniques are those of pyFAI, scikit-beam, trackpy, PyAbel, scikit-image and numpy; the tolerance is said with each."""

import numpy
import pytest
from seeded import random

WHY = "not installed: pip install -r tests/metrics/requirements.txt"


def technique(numbers, x, y, spec, name):
    found, images = numbers(x, y, 1000.0, spec)[2]
    return found[name], images


# Scattering: rings.

CENTRE = (31.37, 40.21)


def rings(seed, n_frames=3):
    radius = numpy.hypot(*(numpy.mgrid[:64, :80] - numpy.array(CENTRE)[:, None, None]))
    # Bright enough that none is 0, of which pyFAI says that its variance is 1.
    return random(seed).poisson(40 * numpy.exp(-((radius - 20) ** 2) / 8) + 15, (n_frames, 64, 80)).astype("uint16")


@pytest.mark.parametrize("step", [1.0, 1.7])
def test_rings_are_those_of_pyfai(numbers, step):
    integrators = pytest.importorskip("pyFAI.integrator.azimuthal", reason=WHY)
    x = rings(1, 1)
    y = (x // 4 * 4 + 1).astype("uint16")
    found, _ = technique(numbers, x, y, f"radial={CENTRE[0]},{CENTRE[1]},{step}", "radial")
    pixel = 1e-4
    # Their pixels have their centres at halves; far away, so that the geometry is flat.
    integrator = integrators.AzimuthalIntegrator(
        dist=1.0, poni1=(CENTRE[0] + 0.5) * pixel, poni2=(CENTRE[1] + 0.5) * pixel, pixel1=pixel, pixel2=pixel
    )
    n_rings = round(found["rings"][-1]["radius"] / step + 0.5)
    options = {"unit": "r_m", "correctSolidAngle": False, "error_model": "poisson", "method": ("no", "histogram", "cython"),
               "radial_range": (0, n_rings * step * pixel)}
    before, after = (integrator.integrate1d(frame[0].astype("float64"), n_rings, **options) for frame in (x, y))
    filled = before.count > 0
    # A pixel at the edge of two rings may be in either: float32 radii. None is, with this centre.
    assert [ring["n"] for ring in found["rings"]] == list(before.count[filled].astype(int))
    for name, expected in [("before", before.intensity), ("after", after.intensity), ("sigma", before.sigma)]:
        assert [ring[name] for ring in found["rings"]] == pytest.approx(list(expected[filled]), rel=1e-6), name
    residual = (after.intensity - before.intensity)[filled] / before.sigma[filled]
    assert [ring["residual"] for ring in found["rings"]] == pytest.approx(list(residual), rel=1e-4, abs=1e-4)
    assert found["bias"] == pytest.approx(y.sum() / x.sum() - 1, rel=1e-12)


def test_the_covariance_map_is_that_of_numpy(numbers):
    x = rings(4, 40)
    x += (random(5).poisson(3, 40)[:, None, None] * 8).astype("uint16")
    y = (x // 9 * 9).astype("uint16")
    found, ((before, after),) = technique(numbers, x, y, f"covariance={CENTRE[0]},{CENTRE[1]},2.5", "covariance")
    radius = numpy.hypot(*(numpy.mgrid[:64, :80] - numpy.array(CENTRE)[:, None, None]))
    ring = (radius / 2.5).astype(int).ravel()
    for name, frames, map_ in [("before", x, before), ("after", y, after)]:
        sums = numpy.array([numpy.bincount(ring, weights=frame.ravel()) for frame in frames])
        # Sums of integers below 2^53, so both are exact but for the division.
        assert map_ == pytest.approx(list(numpy.cov(sums.T).ravel()), rel=1e-5, abs=1e-3)
        assert [at[name] for at in found["distribution"]] == pytest.approx(list(sums.mean(0)), rel=1e-12)
    before, after = (numpy.array(map_).reshape(ring.max() + 1, -1) for map_ in (before, after))
    sigma = numpy.sqrt((numpy.outer(numpy.diag(before), numpy.diag(before)) + before**2) / 39)
    residual = numpy.abs(((after - before) / sigma)[numpy.triu_indices_from(sigma, 1)])
    assert abs(found["worst"]["residual"]) == pytest.approx(residual.max(), rel=1e-4)
    assert found["rms_residual"] == pytest.approx(numpy.sqrt((residual**2).mean()), rel=1e-4)


def test_the_radial_distribution_of_an_image_of_velocities_is_that_of_pyabel(numbers):
    vmi = pytest.importorskip("abel.tools.vmi", reason=WHY)
    radius = numpy.hypot(*(numpy.mgrid[:101, :101] - 50))
    x = random(2).poisson(900 * numpy.exp(-((radius - 30) ** 2) / 40) + 100, (1, 101, 101)).astype("uint16")
    found, _ = technique(numbers, x, x, "radial=50,50,1", "radial")
    radii, expected = vmi.average_radial_intensity_2D(x[0].astype("float64"), origin=(50, 50), dr=1, dt=0.02)
    ours = numpy.interp(radii, [ring["radius"] for ring in found["rings"]], [ring["before"] for ring in found["rings"]])
    within = (radii >= 10) & (radii <= 48)
    # It interpolates between pixels where ours takes each once.
    assert ours[within] == pytest.approx(expected[within], rel=0.05)
    assert abs(ours[within].argmax() - expected[within].argmax()) <= 1


# Crystallography: peaks.


def spots(seed):
    """Spots of 3 x 3 pixels of known charge, on nothing; those of y have other charges and places."""
    generator = random(seed)
    x, y = numpy.zeros((2, 2, 96, 112), "uint16")
    for frame, (row, column) in [(f, (8 + 14 * r, 9 + 16 * c)) for f in range(2) for r in range(6) for c in range(6)]:
        spot = generator.poisson([[20, 60, 20], [60, 400, 60], [20, 60, 20]])
        at = frame, slice(row, row + 3), slice(column, column + 3)
        x[at], y[at] = spot, spot // 16 * 16 + 7
    return x, y


def test_peaks_are_those_of_trackpy(numbers):
    trackpy = pytest.importorskip("trackpy", reason=WHY)
    x, y = spots(3)
    found, _ = technique(numbers, x, y, "peaks=6", "peaks")
    located = [[trackpy.locate(frame, 5, minmass=50, preprocess=False, characterize=False) for frame in frames]
               for frames in (x, y)]
    n, mass, shifts, differences = 0, [0, 0], [], []
    for before, after in zip(*located):
        n += len(before)
        for peak in before.itertuples():
            near = after[numpy.hypot(after.x - peak.x, after.y - peak.y) < 3]
            assert len(near) == 1
            mass = [mass[0] + peak.mass, mass[1] + near.mass.item()]
            shifts.append(numpy.hypot(near.x.item() - peak.x, near.y.item() - peak.y))
            differences.append((near.mass.item() - peak.mass) / numpy.sqrt(peak.mass))
    assert (found["n"], found["n_lost"], found["n_false"]) == (n, 0, 0) and n == 72
    assert found["intensity_change"] == pytest.approx(mass[1] / mass[0] - 1, rel=1e-6)
    assert found["centroid_shift"] == pytest.approx(numpy.mean(shifts), rel=1e-6)
    assert found["max_centroid_shift"] == pytest.approx(max(shifts), rel=1e-6)
    # Without a background σ² of a peak of photons is its charge.
    assert found["rms_difference"] == pytest.approx(numpy.sqrt(numpy.mean(numpy.square(differences))), rel=1e-6)


# XPCS: the correlation in time.


def speckle(seed, n_frames=150, time=7.0, mean=6.0):
    generator = random(seed)
    keep = numpy.exp(-1 / time)
    field = generator.normal(size=(2, 40, 50))
    frames = []
    for _ in range(n_frames):
        field = keep * field + numpy.sqrt(1 - keep**2) * generator.normal(size=field.shape)
        frames.append(generator.poisson(mean * (field**2).sum(0) / 2))
    return numpy.array(frames, "uint16")


@pytest.fixture(scope="module")
def correlated(numbers, tmp_path_factory):
    x = speckle(4)
    y = (x // 2 * 2).astype("uint16")
    labels = (1 + (numpy.arange(50) >= 25) * numpy.ones((40, 1))).astype("uint32")
    name = tmp_path_factory.mktemp("labels") / "labels"
    labels.tofile(name)
    found, _ = technique(numbers, x, y, f"labels={name}", "correlation")
    return x, y, labels, found


def test_g2_is_that_of_scikit_beam(correlated):
    correlation = pytest.importorskip("skbeam.core.correlation", reason=WHY)
    x, y, labels, found = correlated
    for name, frames in [("before", x), ("after", y)]:
        expected, lags = correlation.multi_tau_auto_corr(3, 16, labels.astype(int), frames.astype("float64"))
        for label in found:
            of = {point["lag"]: point[name] for point in label["g2"]}
            # Theirs at 16 is of sums of two frames, ours of single ones.
            common = [(lag, value) for lag, value in zip(lags, expected[:, label["label"] - 1]) if lag in of and lag % 16]
            assert len(common) > 25
            ours, theirs = numpy.array([(of[lag], value) for lag, value in common]).T
            # They divide by the mean intensities of all frames, ours by those of both frames.
            assert ours == pytest.approx(theirs, abs=2e-3), name


def test_g2_of_one_lag_is_that_of_numpy(correlated):
    x, _y, labels, found = correlated
    for label in found:
        pixels = x[:, labels == label["label"]].astype("float64")
        for point in label["g2"][:16]:
            first, second = pixels[: -point["lag"]], pixels[point["lag"] :]
            expected = ((first * second).mean(1) / first.mean(1) / second.mean(1)).mean()
            assert point["before"] == pytest.approx(expected, rel=1e-12)


def test_contrast_and_time_are_those_of_a_fit(correlated):
    optimize = pytest.importorskip("scipy.optimize", reason=WHY)
    *_, found = correlated
    for label in found:
        lags, g2 = numpy.array([(point["lag"], point["before"]) for point in label["g2"]]).T
        (contrast, time), _ = optimize.curve_fit(lambda t, b, c: 1 + b * numpy.exp(-2 * t / c), lags, g2, (1, 5))
        # A fit of the logarithm of the first points beside one of all: made were 1 and 7.
        assert label["before"]["contrast"] == pytest.approx(contrast, rel=0.05)
        assert label["before"]["time"] == pytest.approx(time, rel=0.15)


# Spectroscopy: a line.


def test_a_line_is_that_of_numpy(numbers):
    columns = numpy.arange(80)
    x = random(5).poisson(300 * numpy.exp(-((columns - 33.3) ** 2) / 30) + 8, (4, 20, 80)).astype("uint16")
    y = (x // 3 * 3).astype("uint16")
    found, _ = technique(numbers, x, y, "line=10,70", "line")
    for name, frames in [("before", x), ("after", y)]:
        spectrum = frames[:, :, 10:70].sum(axis=(0, 1), dtype="int64")
        excess = spectrum - numpy.median(spectrum)
        above, at = excess.clip(0), columns[10:70]
        centroid = (above * at).sum() / above.sum()
        assert found[f"spectrum_{name}"] == spectrum.tolist()
        assert found[name]["area"] == pytest.approx(excess.sum(), rel=1e-12)
        assert found[name]["centroid"] == pytest.approx(centroid, rel=1e-12)
        assert found[name]["width"] == pytest.approx(numpy.sqrt((above * (at - centroid) ** 2).sum() / above.sum()), rel=1e-9)


# Tomography: half sets and slices.

N_PROJECTIONS, WIDTH, ROW = 120, 96, 24


def phantom():
    row, column = numpy.mgrid[:WIDTH, :WIDTH] - WIDTH // 2
    image = 0.02 * (numpy.hypot(row, column) < 38)
    image += 0.02 * (numpy.hypot(row - 8, column - 14) < 9) - 0.015 * (numpy.hypot(row - 4, column + 15) < 7)
    return image


@pytest.fixture(scope="module")
def tomography(numbers):
    transform = pytest.importorskip("skimage.transform", reason=WHY)
    angles = numpy.arange(N_PROJECTIONS) * 180 / N_PROJECTIONS
    depth = transform.radon(phantom(), theta=angles, circle=True)
    ripple = 1 + 0.1 * numpy.sin(numpy.arange(48) / 3)[:, None]
    x = random(6).poisson(5000 * numpy.exp(-depth.T[:, None, :] * ripple)).astype("uint16")
    y = numpy.rint((2 * numpy.sqrt(x)).round() ** 2 / 4).astype("uint16")
    found, images = technique(numbers, x, y, f"tomography={ROW}", "tomography")
    return x, y, found, images


def hann(n):
    return numpy.sin(numpy.pi * (numpy.arange(n) + 0.5) / n) ** 2


def ring_correlation(pairs):
    """By ring, of pairs of images; and how many frequencies are in it."""
    height, width = pairs[0][0].shape
    side = min(height, width)
    # Halves are rounded up: so the quotients must be exact, which those of `fftfreq` are not.
    down, across = (numpy.minimum(numpy.arange(n), n - numpy.arange(n)) / n for n in (height, width))
    frequency = numpy.hypot(down[:, None], across)
    ring = numpy.floor(frequency * side + 0.5).astype(int)
    sums = numpy.zeros((4, ring.max() + 1))
    for pair in pairs:
        a, b = (numpy.fft.fft2((image - image.mean()) * hann(height)[:, None] * hann(width)) for image in pair)
        for sum_, of in zip(sums, [numpy.ones_like(a), a * b.conj(), abs(a) ** 2, abs(b) ** 2]):
            sum_ += numpy.bincount(ring.ravel(), of.real.ravel())
    n, both, first, second = sums[:, 1 : side // 2 + 1]
    return n, both / numpy.sqrt(first * second)


def test_the_correlation_of_projections_is_that_of_numpy(tomography):
    x, y, found, _ = tomography
    step = -(-(N_PROJECTIONS // 2) // 32)
    for name, frames in [("before", x), ("after", y)]:
        pairs = [(frames[2 * at].astype("float64"), frames[2 * at + 1].astype("float64"))
                 for at in range(0, N_PROJECTIONS // 2, step)]
        n, expected = ring_correlation(pairs)
        rings = found["projections"]["rings"]
        assert [ring["n"] for ring in rings] == list(n)
        assert [ring[name] for ring in rings] == pytest.approx(list(expected), abs=1e-9)
        bit = (0.2071 + 1.9102 / numpy.sqrt(n)) / (1.2071 + 0.9102 / numpy.sqrt(n))
        assert [ring["half_bit"] for ring in rings] == pytest.approx(list(bit), rel=1e-12)


def attenuation(frames):
    row = -numpy.log(frames[:, ROW].astype("float64"))
    n_air = -(-WIDTH // 32)
    left, right = row[:, :n_air].mean(1), row[:, -n_air:].mean(1)
    part = (numpy.arange(WIDTH) - (n_air - 1) / 2) / (WIDTH - n_air)
    return row - (left[:, None] + (right - left)[:, None] * part)


def test_slices_are_those_of_scikit_image(tomography):
    transform = pytest.importorskip("skimage.transform", reason=WHY)
    similarity = pytest.importorskip("skimage.metrics", reason=WHY).structural_similarity
    x, y, found, images = tomography
    angles = numpy.arange(N_PROJECTIONS) * 180 / N_PROJECTIONS
    (number,), (pair,) = found["slices"], images
    side = number["side"]
    centre = (numpy.arange(side) - side // 2) ** 2
    inside = centre[:, None] + centre < (side / 2 - 6) ** 2
    for image, frames in zip(pair, [x, y]):
        ours = numpy.array(image).reshape(side, side)
        # Ours turns about the middle between two pixels, theirs about a pixel: half a pixel is taken from the sinogram.
        sinogram = attenuation(frames).T
        sinogram = (sinogram + numpy.roll(sinogram, 1, axis=0)) / 2
        theirs = transform.iradon(sinogram, theta=angles, circle=True)
        best = max(
            numpy.corrcoef(ours[inside], numpy.roll(turned, shift, (0, 1))[: side, : side][inside])[0, 1]
            for turned in (theirs, theirs[::-1], theirs[:, ::-1], theirs[::-1, ::-1])
            for shift in [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)]
        )
        # Half a pixel of blur apart.
        assert best > 0.93
    before, after = (numpy.array(image).reshape(side, side) for image in pair)
    expected, map_ = similarity(before, after, win_size=7, data_range=number["ssim_range"], full=True)
    assert number["ssim"] == pytest.approx(map_[inside].mean(), abs=0.02) and expected > 0
