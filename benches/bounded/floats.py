"""float32 frames for the race: projections with their phase retrieved, and a volume reconstructed from them, by numpy alone; and codecs for these."""

from codec import Codec


def phase_retrieved(counts, dark, flat, strength=80.0):
    """The projected thickness (no unit) of frames of counts: Paganin's filter on the transmission, with `strength` pixels²."""
    import numpy as np

    transmission = np.maximum(counts - dark, 1) / np.maximum(flat - dark, 1)
    height, width = counts.shape[1:]
    padded = np.pad(transmission, ((0, 0), (0, height), (0, width)), mode="symmetric")
    ky, kx = np.fft.fftfreq(2 * height)[:, None], np.fft.rfftfreq(2 * width)[None]
    filtered = np.fft.irfft2(np.fft.rfft2(padded) / (1 + strength * (ky**2 + kx**2)), padded.shape[1:])
    return -np.log(np.maximum(filtered[:, :height, :width], 1e-3)).astype("f4")


def volume(projections, degrees):
    """Filtered backprojection of parallel beams: a slice for each row of the projections."""
    import numpy as np

    n_angles, n_rows, width = projections.shape
    ramp = np.abs(np.fft.rfftfreq(2 * width))
    filtered = np.fft.irfft(np.fft.rfft(projections, 2 * width) * ramp, 2 * width)[..., :width]
    y, x = np.mgrid[:width, :width] - (width - 1) / 2
    found = np.zeros((n_rows, width, width))
    for rows, angle in zip(filtered, np.deg2rad(degrees)):
        place = np.clip(x * np.cos(angle) + y * np.sin(angle) + (width - 1) / 2, 0, width - 1.001)
        first = place.astype(int)
        share = place - first
        found += rows[:, first] * (1 - share) + rows[:, first + 1] * share
    return (found * np.pi / n_angles).astype("f4")


def generated():
    """A disc with two inserts behind noise, on every machine the same."""
    import numpy as np

    rng = np.random.default_rng(3)
    x = np.linspace(-1, 1, 160)
    degrees = np.linspace(0, 180, 91, endpoint=False)

    def chord(centre, radius, angle):
        at = x - centre[0] * np.cos(angle) - centre[1] * np.sin(angle)
        return 2 * np.sqrt(np.maximum(radius**2 - at**2, 0))

    parts = [((0, 0), 0.8, 0.8), ((0.3, 0.2), 0.2, 0.7), ((-0.3, -0.1), 0.15, -0.5)]
    paths = sum(density * np.array([chord(c, r, a) for a in np.deg2rad(degrees)]) for c, r, density in parts)
    counts = rng.poisson(20_000 * np.exp(-np.repeat(paths[:, None], 64, 1)))
    return counts.astype(float), np.zeros((64, 160)), np.full((64, 160), 20_000.0), degrees


def measured(path):
    import h5py

    with h5py.File(path) as file:
        return [file[name][:].astype(float) for name in ("projections", "dark", "flat", "angles_deg")]


def sets(folder):
    """Names and frames."""
    sources = [("generated", generated())]
    path = folder / "tomography/dls_24737_projections_uint16.h5" if folder else None
    if path and path.exists():
        sources.append(("tomography", measured(path)))
    for name, (counts, dark, flat, degrees) in sources:
        projections = phase_retrieved(counts, dark, flat)
        yield f"{name}, phase retrieved, float32", projections[:16]
        middle = projections.shape[1] // 2
        yield f"{name}, volume, float32", volume(projections[:, middle - 16 : middle + 16], degrees)


def numbers_within(a, error):
    """The multiples of twice the error from the least value on, as JPEG XL takes them; and the way back."""
    import numpy as np

    least = float(a.min())
    numbers = np.rint((a.astype("f8") - least) / (2 * error))
    return numbers, lambda found: (found * (2 * error) + least).astype("f4")


def peers_within(a, error):
    """Codecs of float32 with an absolute bound. What they make of it is measured."""
    import imagecodecs as ic
    import numpy as np

    numbers, back = numbers_within(a, error)
    options = {"lossless": True, "numthreads": 1, "effort": 3}

    def jpeg_xl(frames):
        return [ic.jpegxl_encode(frame, **options) for frame in numbers_within(frames, error)[0].astype("u2")]

    return [
        Codec(
            "SZ3",
            lambda a: [ic.sz3_encode(a, mode="abs", abs=error)],
            lambda stored, a: ic.sz3_decode(stored[0], a.shape, a.dtype),
        ),
        Codec(
            "SPERR",
            lambda a: [ic.sperr_encode(a, level=error, mode="pwe")],
            lambda stored, a: ic.sperr_decode(stored[0]).reshape(a.shape),
        ),
        Codec(
            "JPEG XL, effort 3, of uint16",
            jpeg_xl,
            lambda stored, a: back(np.stack([ic.jpegxl_decode(part, numthreads=1) for part in stored])),
            lambda a: numbers.max() < 1 << 16,
        ),
    ]
