"""The example notebooks: runs their cells without Jupyter, and makes pages of them.

`notebook.py run FILE...` runs them in new folders, and stores what they print and draw in them.
`notebook.py check FILE...` runs them, and fails where one prints something else than is stored.
`notebook.py page FILE FOLDER` writes the page FILE.md, with its pictures beside it, into the folder.
"""

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")


def read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))


def figures() -> list[bytes]:
    """The figures that are open, as PNG; they are closed."""
    plt = sys.modules.get("matplotlib.pyplot")
    found = []
    for number in plt.get_fignums() if plt else []:
        out = io.BytesIO()
        plt.figure(number).savefig(out, format="png", dpi=70, bbox_inches="tight", metadata={"Software": None})
        found.append(out.getvalue())
    if plt:
        plt.close("all")
    return found


def run_cell(source: str, names: dict, place: str) -> str:
    """Runs a cell; what it prints, and the value of its last line if that is an expression, as Jupyter shows it."""
    body = ast.parse(source, place)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(body, place, "exec"), names)
        value = eval(compile(ast.Expression(last.value), place, "eval"), names) if last else None
        if value is not None and not source.rstrip().endswith(";"):
            print(repr(value))
    return out.getvalue()


def outputs(text: str, pictures: list[bytes]) -> list[dict]:
    """As a notebook has them."""
    printed = [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}] if text else []
    shown = [{"image/png": base64.b64encode(picture).decode()} for picture in pictures]
    return printed + [{"data": data, "metadata": {}, "output_type": "display_data"} for data in shown]


def printed(cell: dict) -> str:
    return "".join("".join(one["text"]) for one in cell["outputs"] if one["output_type"] == "stream")


def run(notebook: dict, name: str) -> dict:
    """The same with new outputs."""
    names: dict = {"__name__": "__main__"}
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            text = run_cell("".join(cell["source"]), names, f"{name}, cell {number}")
            cell = {**cell, "execution_count": None, "outputs": outputs(text, figures())}
        cells.append(cell)
    return {**notebook, "cells": cells}


def in_new_folder(file: Path) -> dict:
    notebook, before = read(file), Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            return run(notebook, file.name)
        finally:
            os.chdir(before)


def store(file: Path) -> None:
    text = json.dumps(in_new_folder(file), indent=1, ensure_ascii=False, sort_keys=True)
    file.write_text(text + "\n", encoding="utf-8")


def check(file: Path) -> None:
    """The pictures are not compared: another matplotlib draws other bytes. But a cell that drew one draws one."""
    for number, (old, new) in enumerate(zip(read(file)["cells"], in_new_folder(file)["cells"], strict=True)):
        if old["cell_type"] == "code":
            if printed(old) != printed(new):
                raise SystemExit(f"{file.name}, cell {number} prints\n{printed(new)}and not\n{printed(old)}")
            if len(old["outputs"]) != len(new["outputs"]):
                raise SystemExit(f"{file.name}, cell {number} has {len(new['outputs'])} outputs, not {len(old['outputs'])}")


def page(file: Path, folder: Path) -> None:
    """The notebook in Markdown."""
    text, n_pictures = "", 0
    for cell in read(file)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            text += f"{source}\n\n"
            continue
        text += f"```python\n{source}\n```\n\n"
        if printed(cell):
            text += f"```text\n{printed(cell)}```\n\n"
        for output in cell["outputs"]:
            if "data" in output:
                n_pictures += 1
                name = f"{file.stem}-{n_pictures}.png"
                (folder / name).write_bytes(base64.b64decode(output["data"]["image/png"]))
                text += f"![what the cell above draws]({name})\n\n"
    text += f"[This page as a notebook]({file.name})\n"
    (folder / f"{file.stem}.md").write_text(text, encoding="utf-8")


def main() -> None:
    command, *arguments = sys.argv[1:]
    files = [Path(argument).resolve() for argument in arguments]
    if command == "page":
        page(*files)
        return
    for file in files:
        {"run": store, "check": check}[command](file)


if __name__ == "__main__":
    main()
