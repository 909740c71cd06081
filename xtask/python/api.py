"""Prints a page with darkchunk's public names: `api.py` with python/ on PYTHONPATH. All of it is from the docstrings."""

import inspect
import re

import darkchunk
from darkchunk import slices, talk

SECTIONS = {
    "Reading": ["open", "from_h5py", "from_pytables", "Dataset"],
    "Writing": ["Writer", "Summary"],
    "Filters": ["DRLE", "Bitshuffle", "Blosc", "LZ4", "Zstd", "Bounded", "from_filter_options"],
    "Chunks": ["encode_chunk", "decode_chunk"],
    "Finding the plugins": ["register", "get_config", "get_filters", "explain"],
}


def signature(item: object) -> str:
    try:
        return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(item)))
    except (TypeError, ValueError):
        return "(…)"


def entry(name: str, item: object, level: str) -> list[str]:
    """A heading and the docstring; of a class its members too."""
    call = signature(item) if callable(item) else ""
    lines = [
        f"{level} {name.rsplit('.', 1)[-1]}",
        "",
        "```text",
        f"{name}{call}",
        "```",
        "",
        inspect.getdoc(item) or "",
        "",
    ]
    if not inspect.isclass(item):
        return lines
    if item.__init__.__doc__ and inspect.isfunction(item.__init__):
        lines += [inspect.getdoc(item.__init__) or "", ""]
    for member in (m for m in vars(item) if not m.startswith("_")):
        value = inspect.getattr_static(item, member)
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        text = inspect.getdoc(function)
        if not inspect.isfunction(function) or not text:
            continue
        shown = member if isinstance(value, property) else f"{member}{signature(function)}"
        lines += [f"* `{shown}`: {' '.join(text.split())}"]
    return [*lines, ""]


def page() -> str:
    lines = ["# Python API", "", inspect.getdoc(darkchunk) or "", ""]
    for title, names in SECTIONS.items():
        lines += [f"## {title}", ""]
        for name in (n for n in names if hasattr(darkchunk, n)):
            lines += entry(f"darkchunk.{name}", getattr(darkchunk, name), "###")
    for module in (slices, talk):
        lines += [f"## {module.__name__}", "", inspect.getdoc(module) or "", ""]
        public = (name for name in module.__all__ if callable(getattr(module, name)))
        for name in public:
            lines += entry(f"{module.__name__}.{name}", getattr(module, name), "###")
    errors = [n for n in darkchunk.__all__ if inspect.isclass(getattr(darkchunk, n)) and n.endswith("Error")]
    lines += ["## Errors", ""]
    lines += [f"* `{n}`: {' '.join((inspect.getdoc(getattr(darkchunk, n)) or '').split())}" for n in errors]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page())
