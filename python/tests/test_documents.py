"""Every Python example of the documentation runs, page by page, as a reader would type it."""

import importlib.util
import re
import warnings

import pytest
from support import ROOT, python

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
    assert {page.name for page in PAGES[:-1]} | {"api.md"} == set(re.findall(r": (\w+\.md)", text))
