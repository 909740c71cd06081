"""Pages of `compare` and `threshold` in a real browser: one for each technique, in both schemes, narrow and wide, and on paper."""

import base64
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from browser import Browser
from test_command import run
from test_command_field import IS_PROOF

pytestmark = pytest.mark.skipif(not IS_PROOF, reason="`cargo xtask prove metrics` has a Chromium")

SHAPE = (24, 90, 120)
ROW, COLUMN = np.indices(SHAPE[1:])
RADIUS = np.hypot(ROW - 45, COLUMN - 60)
RANDOM = np.random.default_rng(7)


def rings():
    return RANDOM.poisson(20 + 80 * np.exp(-((RADIUS - 30) ** 2) / 8) * np.ones(SHAPE))


def spots():
    frames = RANDOM.poisson(2, SHAPE)
    for frame in frames:
        for row, column in RANDOM.integers(8, 80, (12, 2)):
            frame[row : row + 3, column : column + 3] += RANDOM.poisson([[20, 60, 20], [60, 400, 60], [20, 60, 20]])
    return frames


def fluctuating():
    field = np.zeros((2, *SHAPE[1:]))
    frames = []
    for _ in range(SHAPE[0]):
        field = 0.8 * field + 0.6 * RANDOM.normal(size=field.shape)
        frames.append(RANDOM.poisson(3 * (field**2).sum(0)))
    return np.array(frames)


def fragments():
    together = RANDOM.poisson(2, SHAPE[0])[:, None, None] * np.isin(RADIUS // 4, (3, 6))
    return RANDOM.poisson(0.2 + 5 * together)


def spectrum():
    return RANDOM.poisson(5 + 60 * np.exp(-((np.arange(SHAPE[2]) - 70) ** 2) / 50) * np.ones(SHAPE))


def scan():
    angles, columns = np.pi * np.arange(160) / 160, np.arange(96)
    depth = np.zeros((160, 96))
    for across, down, radius, attenuation in [(0, 0, 38, 0.02), (12, 8, 9, 0.03), (-14, 5, 4, 0.03), (4, -15, 2, 0.05)]:
        middle = 47.5 + across * np.cos(angles) - down * np.sin(angles)
        depth += 2 * attenuation * np.sqrt(np.clip(radius**2 - (columns - middle[:, None]) ** 2, 0, None))
    return RANDOM.poisson(5000 * np.exp(-depth[:, None, :] * (1 + 0.2 * np.sin(np.arange(32) / 2))[:, None]))


# Frames, and what is asked for.
CODEC = ["--codec", "bounded:noise=1"]
PAGES = {
    "none": (rings, CODEC),
    "saxs": (rings, [*CODEC, "--technique", "saxs=45,60"]),
    "powder": (rings, [*CODEC, "--technique", "powder=45,60,2"]),
    "mx": (spots, [*CODEC, "--technique", "mx"]),
    "xpcs": (fluctuating, [*CODEC, "--technique", "xpcs={labels}:/q"]),
    "vmi": (spots, ["--codec", "drle:30", "--technique", "vmi"]),
    "vmi-map": (fragments, ["--codec", "drle:4", "--technique", "vmi=45,60,2"]),
    "line": (spectrum, [*CODEC, "--technique", "line=10..110"]),
    "tomography": (scan, ["--codec", "bounded:noise=2", "--technique", "tomography=10+20"]),
    "sweep": (rings, ["--sweep"]),
    "threshold": (spots, None),
}

MESSAGES = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")

# Texts of plots that do not lie within them, or lie on each other.
OUTSIDE = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  const isOut = ([, t]) => t.left < box.left - 1 || t.right > box.right + 1 || t.top < box.top - 1 || t.bottom > box.bottom + 1;
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const pairs = texts.flatMap(([a, at], n) => texts.slice(n + 1).filter(([, b]) => meet(at, b)).map(([b]) => a + ' on ' + b));
  return texts.filter(isOut).map(([text]) => text).concat(pairs);
})"""

# Words of the heads of tables that are on two lines.
BROKEN = """[...document.querySelectorAll('th')].flatMap(th => [...th.textContent.matchAll(/\\S+/g)].filter(word => {
  const range = document.createRange();
  range.setStart(th.firstChild, word.index);
  range.setEnd(th.firstChild, word.index + word[0].length);
  return range.getClientRects().length > 1;
}).map(word => word[0]))"""

# How much brighter the lighter of a text's colour and the page's is than the darker: WCAG 2.2, contrast ratio.
CONTRASTS = """(() => {
  const of = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255)
    .map(n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4)
    .reduce((sum, n, at) => sum + n * [0.2126, 0.7152, 0.0722][at], 0.05);
  const page = of(getComputedStyle(document.body).backgroundColor);
  const text = element => of(getComputedStyle(element)[element.closest('svg') ? 'fill' : 'color']);
  const all = [...document.querySelectorAll('h1, h2, p, th, td, li, span, figcaption, svg text')].map(text);
  return [page, Math.min(...all.map(text => Math.max(text, page) / Math.min(text, page)))];
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def made(name, folder):
    frames, options = PAGES[name]
    page = folder / f"{name}.html"
    with h5py.File(folder / "raw.h5", "w") as file:
        frames = frames().astype("u2")
        file.create_dataset("data", data=frames, chunks=(8, *frames.shape[1:]), compression="gzip")
        file["q"] = (RADIUS // 15).astype("u1")
    if options is None:
        run("threshold", folder / "raw.h5", "--html", page, "-q")
    else:
        options = [option.format(labels=folder / "raw.h5") for option in options]
        run("compare", f"{folder / 'raw.h5'}:/data", *options, "--html", page, "-q", code=None)
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_both_schemes_and_needs_nothing_else(name, browser, tmp_path):
    page = made(name, tmp_path)
    assert page.stat().st_size < 1_000_000
    shots = Path(os.environ.get("DARKCHUNK_SCREENSHOTS", tmp_path))
    shots.mkdir(exist_ok=True)
    for scheme, width in [("light", 1000), ("dark", 1000), ("light", 800)]:
        events = browser.open(page, width, scheme)
        assert not [event for event in events if event["method"] in MESSAGES]
        requests = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        assert {url for url in requests if not url.startswith("data:image/png")} == {page.as_uri()}
        assert browser.value("[...document.images].every(image => image.naturalWidth > 0)")
        assert browser.value("document.querySelectorAll('svg').length") >= 1
        (height, wide) = browser.value("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
        assert wide <= width, "it is wider than the window"
        assert browser.value(OUTSIDE) == browser.value(BROKEN) == []
        (background, contrast) = browser.value(CONTRASTS)
        assert (background > 0.9) == (scheme == "light") and (background < 0.1) == (scheme == "dark") and contrast >= 4.5
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = browser("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        (shots / f"{name}-{scheme}-{width}.png").write_bytes(base64.b64decode(shot))
    paper = base64.b64decode(browser("Page.printToPDF", printBackground=False)["data"])
    (shots / f"{name}.pdf").write_bytes(paper)
    assert paper.startswith(b"%PDF-") and len(paper) < 3_000_000
