"""What the command prints with --json is what docs/command.md says, field by field, both ways."""

import json
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, DRLE, ROOT
from test_command import COMMAND, PIXELS, everything, lines, run, spoil
from test_command_slices import CHECKS, compiled
from test_restore import left, program  # noqa: F401

# Fields of `compare` whose own fields are those of docs/metrics.md.
ELSEWHERE = {"report", "technique", "limits", "settings"}


def documented():
    """Of each verb the fields of the tables' first column, and all other words that are marked as code."""
    text = (ROOT / "docs" / "command.md").read_text().split("\n## JSON\n")[1]
    found = {}
    for section in text.split("\n### ")[1:]:
        name, body = section.split("\n", 1)
        rows = [line.split("|")[1:-1] for line in body.splitlines() if line.startswith("| `")]
        fields = {word for row in rows for word in re.findall(r"`([^`]+)`", row[0])}
        marked = {word for row in rows for cell in row[1:] for word in re.findall(r"`([^`]+)`", cell)}
        found[name.strip("`")] = fields, marked
    return found


DOCUMENTED = documented()


def inner(value):
    """The fields of objects within a value, and texts that are values."""
    if isinstance(value, list):
        parts = [inner(part) for part in value]
    elif isinstance(value, dict):
        parts = [inner(part) for part in value.values()] + [(set(value), set())]
    else:
        return set(), {value} if isinstance(value, str) else set()
    return set().union(*(part[0] for part in parts)), set().union(*(part[1] for part in parts))


def agree(verb, printed, *, values=()):
    """Asserts that what a verb printed has all fields of its tables, and no others. `values`: words of the tables that are none."""
    fields, marked = DOCUMENTED[verb]
    assert all(line["verb"].split()[0] == verb for line in printed)
    found = {key for line in printed for key in line} - {"verb"}
    common = {"file", "path"} & found - fields
    assert found - common == fields, verb
    own = [{key: value for key, value in line.items() if verb != "compare" or key not in ELSEWHERE} for line in printed]
    keys, _ = inner(own)
    assert keys - found - {"verb"} <= marked | fields, verb
    words = {word for word in marked if re.fullmatch(r"[a-z_0-9 ]+", word)}
    all_keys, texts = inner(printed)
    assert words <= all_keys | texts | set(DOCUMENTED) | set(values), verb
    return found


def make(path, data, name="x", **options):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=data, chunks=(1, *data.shape[1:]), **options)


def spoil_header(path):
    with h5py.File(path) as file:
        header = h5py.h5o.get_info(file["x"].id).addr
    with open(path, "r+b") as file:
        file.seek(header)
        file.write(b"\xff" * 16)


@pytest.fixture
def file(tmp_path):
    everything(tmp_path / "a.h5")
    return tmp_path / "a.h5"


def test_each_verb_that_prints_json_has_a_table():
    text = run("--help")
    verbs = re.findall(r"^  ([a-z]+)", text.split("Commands:")[1].split("Options:")[0], re.M)
    assert len(verbs) > 15
    for verb in verbs:
        parts = {"slices": ["plan", "run"], "plugins": ["list", "doctor"]}.get(verb, [None])
        prints = any("--json" in run(verb, *([part] if part else []), "--help") for part in parts if verb != "help")
        assert prints == (verb in DOCUMENTED), verb


def test_info(file, tmp_path):
    with h5py.File(file, "a") as opened:
        group = opened.create_group("drle_darkchunk")
        group.attrs.update({"frames": 20, "threshold": 1, "pixels_zeroed": 3, "zeroed_sum": 4, "pixels_saturated": 0})
        group.attrs["software"] = "darkchunk 0.1.0"
    make(tmp_path / "plain.h5", PIXELS)
    run("convert", tmp_path / "plain.h5", "-o", tmp_path / "bounded.h5", "--to", "bounded:absolute=2", "--lossy")
    make(tmp_path / "bad.h5", PIXELS)
    spoil_header(tmp_path / "bad.h5")
    printed = lines("info", file, tmp_path / "bounded.h5") + lines("info", tmp_path / "bad.h5", code=1)
    agree("info", printed, values=("frame", "dark_image"))
    (drle,) = (line["recorded"] for line in printed if line["path"] == "/drle")
    assert drle == {"software": "darkchunk 0.1.0", "frames": 20, "threshold": 1, "pixels_zeroed": 3, "zeroed_sum": 4, "pixels_saturated": 0, "changes": []}


def test_verify(file, tmp_path):
    run("convert", file, "-o", tmp_path / "b.h5", "-d", "/entry/data/data=bounded:absolute=2", "--lossy")
    run("compare", f"{file}:/entry/data/data", tmp_path / "b.h5", "--store", code=None)
    spoil(file, "entry/data/data", 3, "bit")
    agree("verify", lines("verify", file, code=1) + lines("verify", tmp_path / "b.h5"))


def test_convert(file, tmp_path):
    printed = lines("convert", file, "-o", tmp_path / "b.h5", "-d", "/entry/data/data=drle:20", "--lossy")
    printed += lines("convert", file, "-n", "--to", "zstd")
    keep = ("--keep", "sum>0", "--keep-of", "/entry/data/data")
    printed += lines("convert", file, "-o", tmp_path / "c.h5", *keep, "--lossy")
    agree("convert", printed)


def test_recover(file, left, tmp_path):
    spoil(file, "entry/data/data", 3, "bit")
    make(tmp_path / "bad.h5", PIXELS, compression=DRLE, compression_opts=(1,))
    spoil_header(tmp_path / "bad.h5")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        unknown = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        unknown.set_chunk((4, 33, 47))
        unknown.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(PIXELS.shape)
        dataset = h5py.h5d.create(other.id, b"x", h5py.h5t.NATIVE_UINT16, space, unknown)
        dataset.write_direct_chunk((0, 0, 0), b"x" * 99)
    printed = []
    for number, path in enumerate((file, tmp_path / "bad.h5", tmp_path / "other.h5")):
        printed += lines("recover", path, "-o", tmp_path / f"{number}.h5", code=1)
    with open(tmp_path / "bad.h5", "r+b") as bad:
        bad.write(bytes(64))
    printed += lines("recover", tmp_path / "bad.h5", "-o", tmp_path / "found.h5", code=1)
    printed += lines("recover", left[0], "-o", tmp_path / "restored.h5", code=left[2])
    agree("recover", printed)


def test_try(tmp_path):
    make(tmp_path / "a.h5", PIXELS)
    make(tmp_path / "floats.h5", PIXELS.astype("f4"))
    printed = [line for name in ("a", "floats") for line in lines("try", tmp_path / f"{name}.h5", "--all", "--no-disk", "--rate", 1)]
    agree("try", printed)


def test_noise(tmp_path):
    photons = np.random.default_rng(5).poisson(np.linspace(300, 9000, 4800).reshape(60, 80), (12, 60, 80))
    make(tmp_path / "a.h5", photons.astype("u2"))
    agree("noise", lines("noise", f"{tmp_path}/a.h5:/x"))


def test_hash(file):
    agree("hash", lines("hash", file, "-v"))


def test_diff(file, tmp_path):
    shutil.copy(file, tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "a") as opened:
        opened["entry/data/data"][3, 2, 1] += 1
        opened["entry/data/data"].attrs["units"] = "photons"
        del opened["scalar"], opened["soft"], opened["compact"], opened["entry/data/data"].attrs["DIMENSION_LIST"]
        opened["soft"], opened["more"] = h5py.SoftLink("/elsewhere"), 1
        opened["compact"] = np.arange(5, dtype="i4")
        opened["holes"].resize(90, axis=0)
        del opened["lzf"]
        opened.create_dataset("lzf", data=PIXELS, chunks=(2, 33, 47), maxshape=(None, 33, 47))
    spoil(file, "drle", 1, "bit")
    agree("diff", lines("diff", file, tmp_path / "b.h5", code=2))


def test_watch(file):
    printed = lines("watch", file, code=1)
    agree("watch", printed, values=("unreadable", "broken", "idle"))


def test_threshold(tmp_path):
    spots = np.random.default_rng(3).normal(0, 2, (6, 60, 80))
    spots[:, 10:50:10, 10:70:10] += 300
    make(tmp_path / "a.h5", spots.round().astype("i2"))
    agree("threshold", lines("threshold", f"{tmp_path}/a.h5:/x", "--thresholds", "5,50,400"))


def test_plugins():
    printed = lines("plugins", "doctor", code=None)
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    listed = subprocess.run([COMMAND, "plugins", "list", "--json"], env=environment, capture_output=True, text=True, timeout=300)
    assert listed.returncode == 0, listed.stderr
    agree("plugins", printed + [json.loads(line) for line in listed.stdout.splitlines()])


def test_slices(tmp_path):
    library = compiled(tmp_path, CHECKS, "-DTHREADS=h5io_any", "-DWITH_BLOCKS")
    make(tmp_path / "data.h5", PIXELS, name="data", compression=BITSHUFFLE, compression_opts=(0, 2))
    data = f"{tmp_path}/data.h5:/data"
    printed = lines("slices", "rechunk", data, "-o", tmp_path / "bricks.h5", "--chunk", "20,8,0")
    printed += lines("slices", "index", data)
    printed += lines("slices", "plan", tmp_path / "data.h5", "-l", library)
    out = ("-o", tmp_path / "out.h5", "--keep-going", "--json")
    text = run("slices", "run", tmp_path / "data.h5", "-l", library, *out, "--", "wrong=process", "at=11", code=1)
    printed += [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    agree("slices", printed)


def test_master(tmp_path):
    for number in range(2):
        path = tmp_path / f"run_{number:06}.h5"
        make(path, PIXELS)
        with h5py.File(path, "a") as part:
            group = part.create_group("x_darkchunk")
            group.attrs["part"] = np.array([0, number * len(PIXELS), len(PIXELS), 2 * len(PIXELS)], "u8")
            group.attrs["part_columns"] = np.array([], dtype=h5py.string_dtype())
    agree("master", lines("master", tmp_path / "run.h5", code=None))


def test_compare(tmp_path):
    make(tmp_path / "a.h5", np.random.default_rng(5).poisson(5000, (6, 32, 40)).astype("u2"))
    printed = lines("compare", f"{tmp_path}/a.h5:/x", "--sweep", "--codec", "zstd:3", "--codec", "drle:4000")
    for technique in ("saxs=16,20", "vmi=16,20,4"):
        printed += lines("compare", f"{tmp_path}/a.h5:/x", "--technique", technique, "--codec", "zstd:3")
    make(tmp_path / "real.h5", np.random.default_rng(6).normal(0, 1, (3, 32, 40)).astype("f4"))
    printed += lines("compare", f"{tmp_path}/real.h5:/x", "--codec", "zstd:3")
    printed += lines("compare", f"{tmp_path}/a.h5:/x", "--technique", "mx", "--codec", "zstd:3", code=1)
    techniques = ("correlation", "line", "tomography")
    agree("compare", printed, values=("name", "reason", *techniques))
