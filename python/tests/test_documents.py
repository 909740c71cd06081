"""Every Python example of the documentation runs, page by page, as a reader would type it; and the notebooks."""

import importlib.util
import json
import re
import subprocess
import sys
import warnings

import pytest
import yaml
from support import ROOT, environment, python

import darkchunk
from darkchunk import _registry

NOTEBOOKS = sorted((ROOT / "docs/site").glob("*.ipynb"))
PAGES = [*sorted((ROOT / "docs/site").glob("*.md")), ROOT / "python/README.md"]
BLOCK = re.compile(r"(?:<!-- needs: ([\w, ]+) -->\n)?```python\n(.*?)```", re.S)


def examples(page):
    """The examples whose packages are here, and the names of those that are not."""
    found, missing = [], set()
    for needs, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        absent = {name for name in needs.split(", ") if name and importlib.util.find_spec(name) is None}
        missing |= absent
        if not absent:
            found.append(code)
    return found, missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_the_examples_of_a_page_run(page, tmp_path):
    found, missing = examples(page)
    assert found, "a page without an example that runs"
    done = python(f"import os, sys; os.chdir(sys.argv[1])\n{''.join(found)}", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    if missing:
        warnings.warn(f"not run, as these are not installed: {', '.join(sorted(missing))}", stacklevel=1)


def test_each_page_is_in_the_navigation():
    text = (ROOT / "docs/site/mkdocs.yml").read_text(encoding="utf-8")
    made = {"api.md"} | {f"{notebook.stem}.md" for notebook in NOTEBOOKS}
    assert {page.name for page in PAGES[:-1]} | made == set(re.findall(r": (\w+\.md)", text))


def notebook(*arguments):
    command = [sys.executable, ROOT / "xtask/python/notebook.py", *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_prints_what_is_stored_in_it_and_becomes_a_page(file, tmp_path):
    done = notebook("check", file)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    n_pictures = sum("data" in output for output in outputs)
    assert any("assert " in line for cell in cells for line in cell["source"]) and n_pictures >= 2
    assert notebook("page", file, tmp_path).returncode == 0
    page = (tmp_path / f"{file.stem}.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.*\]\((.*)\)", page)
    assert len(pictures) == n_pictures and page.count("```python\n") == sum(c["cell_type"] == "code" for c in cells)
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_a_notebook_that_prints_something_else_than_is_stored_is_found(tmp_path):
    notebook_of = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    (tmp_path / "other.ipynb").write_text(
        json.dumps(notebook_of | {"cells": [{"cell_type": "code", "source": ["1 + 1"], "outputs": []}]})
    )
    done = notebook("check", tmp_path / "other.ipynb")
    assert done.returncode == 1 and "cell 0 prints" in done.stderr


def test_the_conda_recipe_has_the_version_and_the_needs_of_the_package():
    recipe = yaml.safe_load((ROOT / "python/conda/recipe.yaml").read_text(encoding="utf-8"))
    project = (ROOT / "python/pyproject.toml").read_text(encoding="utf-8")
    needs = [
        need.replace(">=", " >=") for need in re.search(r"^dependencies = \[(.*)\]", project, re.M)[1].split('"')[1::2]
    ]
    assert recipe["context"]["version"] == darkchunk.version
    assert [need for need in recipe["requirements"]["run"] if not need.startswith("python")] == needs
    assert (ROOT / recipe["build"]["script"]).stat().st_mode & 0o111
    script = (ROOT / recipe["build"]["script"]).read_text(encoding="utf-8")
    plugins = re.search(r'^plugins="(.*)"$', script, re.M)[1].split()
    assert {f"lib{plugin}.so" for plugin in plugins} == set(_registry.FILES.values())
