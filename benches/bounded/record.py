"""What is kept of a race: a table of ratios at each bound, and a chart of ratio against bound."""

from html import escape

WIDTH, HEIGHT, LEFT, TOP = 640, 360, 60, 40
COLOURS = ("#1a6fb0", "#c8552b", "#3f8f4f", "#8a5fb0", "#b08f1a", "#4f9f9f", "#a0405f", "#707070", "#d98fb5")


def family(codec):
    """A codec without how it was driven."""
    codec = codec.removesuffix(", of our levels")
    return "bounded" if codec.startswith("ours") else codec


def best(rows):
    """The best ratio of each codec for frames and bound, with its largest error, in the order of the race."""
    found = {}
    for row in rows:
        key = (row["frames"], row["bound"], family(row["codec"]))
        if key not in found or row["ratio"] > found[key]["ratio"]:
            found[key] = row
    return found


def unique(values):
    return list(dict.fromkeys(values))


def table(rows):
    """Ratios as Markdown: a row for frames and bound, a column for each codec."""
    found = best(rows)
    codecs = unique(key[2] for key in found)
    lines = ["| frames | bound | " + " | ".join(codecs) + " | largest error |", "|---|---|" + "---:|" * (len(codecs) + 1)]
    for frames, bound in unique(key[:2] for key in found):
        ours = found[frames, bound, "bounded"]
        ratios = (found.get((frames, bound, codec)) for codec in codecs)
        cells = (f"{row['ratio']:.2f}" if row else "" for row in ratios)
        lines.append(f"| {frames} | {bound} | " + " | ".join(cells) + f" | {ours['error']} |")
    return "\n".join(lines) + "\n"


def chart(rows, frames):
    """Ratio at each bound for some frames, a line for each codec, as SVG."""
    found = {key[1:]: row["ratio"] for key, row in best(rows).items() if key[0] == frames}
    bounds, codecs = unique(key[0] for key in found), unique(key[1] for key in found)
    tick = next(t for t in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if 6 * t >= max(found.values()))
    top = max(found.values()) * 1.05
    step = (WIDTH - LEFT - 190) / max(len(bounds) - 1, 1)
    floor = HEIGHT - 40
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">']
    svg.append(f"<title>Ratio at each bound: {escape(frames)}</title>")
    svg.append("<style>text { font: 13px sans-serif; fill: #555 }</style>")
    svg.append(f'<text x="{LEFT}" y="20">Ratio at each bound: {escape(frames)}</text>')

    def height(ratio):
        return floor - (floor - TOP) * ratio / top

    for value in (tick * number for number in range(7)):
        if value > top:
            break
        y = height(value)
        svg.append(f'<line x1="{LEFT}" x2="{WIDTH - 190}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>')
        svg.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for at, bound in enumerate(bounds):
        svg.append(f'<text x="{LEFT + at * step:.1f}" y="{floor + 20}" text-anchor="middle">{escape(bound)}</text>')
    for at, codec in enumerate(codecs):
        colour = COLOURS[at % len(COLOURS)]
        points = [(LEFT + i * step, height(found[b, codec])) for i, b in enumerate(bounds) if (b, codec) in found]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        width = 3 if codec == "bounded" else 1.5
        svg.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        svg.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
        svg.append(f'<rect x="{WIDTH - 175}" y="{TOP + 20 * at}" width="12" height="12" fill="{colour}"/>')
        svg.append(f'<text x="{WIDTH - 157}" y="{TOP + 11 + 20 * at}">{escape(codec)}</text>')
    return "\n".join(svg) + "\n</svg>\n"


def write(folder, found):
    """Both, of the frames named first that were measured: tomography, else those that came first."""
    rows = found["rows"]
    if not rows:
        return
    folder.mkdir(parents=True, exist_ok=True)
    names = unique(row["frames"] for row in rows)
    frames = next((name for name in names if name.startswith("tomography")), names[0])
    (folder / "bounded.md").write_text(table(rows))
    (folder / "bounded.svg").write_text(chart(rows, frames))
