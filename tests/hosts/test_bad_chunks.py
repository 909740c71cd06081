"""Bad chunks in real hosts: each ends in a clean error or in the right data, and takes little memory. See ../corpus."""

import sys

import pytest

from common import BITSHUFFLE, BLOSC, BOUNDED, DRLE, HERE, IS_FULL, LZ4, PLUGINS, ZSTD, tool

sys.path.insert(0, str(HERE.parent / "corpus"))

import cases as corpus  # noqa: E402
import judge  # noqa: E402
from host import HOSTS  # noqa: E402

NAMES = {DRLE: "DRLE: ", BITSHUFFLE: "bitshuffle: ", BLOSC: "blosc: ", LZ4: "lz4: ", ZSTD: "zstd: ", BOUNDED: "bounded: "}
# Of a chunk that decodes to more than it should, HDF5 before 2.2 takes as much as it wants, where we do not refuse it.
ALLOWED = {"error": {"error"}, "right": {"right"}, "any": {"error", "right", "other"}, "other size": {"error", "right"}}
CHANGES = (0xFF,)
# Of about 8500 that are generated: every truncation, every changed byte, parameters of every length.
N_GENERATED = None if IS_FULL else 1500
N_CASES = 9000 if IS_FULL else 2000
# What a case may take in a host, in KiB: the chunk is 3 KiB, the plugins and HDF5's own buffers are the rest.
MOST_KIB = 32 << 10


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return judge.job(tmp_path_factory.mktemp("bad") / "files", "stored", CHANGES, N_GENERATED)


@pytest.fixture(scope="module")
def outcomes(job):
    known = {}

    def of(host):
        if host not in known:
            known[host] = judge.judged(host, job, PLUGINS)
        return known[host]

    return of


def cases_of(host):
    """PyTables has a Blosc filter of its own, which is used instead of the plugin."""
    cases = corpus.all_cases("stored", CHANGES, N_GENERATED)
    return [case for case in cases if not (host == "PyTables" and case.filter == BLOSC)]


@pytest.mark.parametrize("host", HOSTS)
def test_every_bad_chunk_is_a_clean_error_or_the_right_data(host, outcomes):
    found = outcomes(host)
    assert len(found) >= N_CASES
    bad = {case.name: found[case.name] for case in cases_of(host) if found[case.name]["class"] not in ALLOWED[case.expected]}
    assert not bad, f"{len(bad)} of {len(found)}"


@pytest.mark.parametrize("host", HOSTS)
def test_no_bad_chunk_takes_much_memory(host, outcomes):
    found = outcomes(host)
    greedy = {case.name: found[case.name]["kib"] for case in cases_of(host) if found[case.name]["kib"] > most_kib(case)}
    assert not greedy


def most_kib(case):
    """Where the parameters do not say the size, a chunk may take as much as its bytes can hold: 32 KiB a byte of Zstd."""
    return MOST_KIB + (32 * len(case.chunk) if case.expected == "other size" else 0)


def test_h5py_shows_which_filter_refused_what_and_what_to_do(outcomes):
    found = outcomes("h5py")
    silent = {}
    for case in corpus.all_cases("stored", CHANGES, N_GENERATED):
        text = found[case.name]["text"]
        if found[case.name]["class"] != "error":
            continue
        is_told = NAMES[case.filter] in text and ("cd_values" in text or "other chunks" in text or "parameters" in text)
        if not is_told:
            silent[case.name] = text
    assert not silent


def test_the_corpus_has_the_parameters_that_the_plugins_store(tmp_path):
    import h5py

    shape, dtype = corpus.shape()
    with h5py.File(tmp_path / "made.h5", "w") as file:
        for row in corpus.manifest():
            if row["name"] == row["format"]:
                options = dict(compression=row["filter"], compression_opts=tuple(row["given"]))
                # One frame of float32 has as many bytes as two of int16.
                of = ((1, *shape[1:]), "<f4") if row["format"] == "bounded-float" else (shape, dtype)
                dataset = file.create_dataset(row["name"], *of, chunks=of[0], **options)
                assert dataset.id.get_create_plist().get_filter(0)[2] == tuple(row["stored"]), row["name"]


@pytest.mark.parametrize("host", HOSTS)
def test_chunks_of_other_writers_are_an_error_or_the_right_data(host, tmp_path):
    """Their parameters do not have the chunk's size: HDF5 from 2.2 on looks at it, and before we ask. See test_unsized.py."""
    cases = {case.name: case for case in corpus.committed("reference")}
    found = judge.judged(host, judge.job(tmp_path / "files", "reference"), PLUGINS)
    used = [case for case in cases.values() if not (host == "PyTables" and case.filter == BLOSC)]
    is_fine = lambda case, row: row["class"] in ALLOWED["other size" if case.name.endswith("-long") else case.expected]
    assert {case.name: found[case.name] for case in used if not is_fine(case, found[case.name])} == {}


@pytest.mark.parametrize("host", HOSTS)
def test_chunks_of_earlier_versions_are_an_error_or_the_right_data(host, tmp_path):
    """Zstd's parameters had the chunk's size."""
    cases = list(corpus.committed("earlier"))
    found = judge.judged(host, judge.job(tmp_path / "files", "earlier"), PLUGINS)
    assert cases and {case.name: found[case.name] for case in cases if found[case.name]["class"] not in ALLOWED[case.expected]} == {}


@pytest.mark.parametrize("host", HOSTS)
def test_a_size_in_the_parameters_is_a_claim(host, tmp_path):
    """Sound chunks are read whatever it is, and short ones are an error though it agrees with them."""
    cases = [case for case in corpus.claimed() if not (host == "PyTables" and case.filter == BLOSC)]
    assert len(cases) >= 28
    found = judge.judged(host, judge.job(tmp_path / "files", "claimed"), PLUGINS)
    assert {case.name: found[case.name] for case in cases if found[case.name]["class"] != case.expected} == {}


def test_h5dump_ends_cleanly(job):
    import json

    (path, names), *_ = json.loads(job.read_text())["files"]
    cases = {case.name: case for case in corpus.committed()}
    for name in names[::9]:
        done = tool("h5dump", "--enable-error-stack", "-d", f"/{name}", path)
        case = cases[name]
        assert (done.returncode == 0) == (case.expected == "right"), f"{name}: {done.returncode}"
        assert case.expected == "right" or NAMES[case.filter] in done.stderr, name
