"""Charts as SVG: stacked bars, bars in pairs, lines on logarithmic axes. They follow dark mode."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 720
LEFT = 110
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d")
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.axis { stroke: #8886; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
</style>"""


def stacked_bars(bars: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Draw one bar a name, cut into its parts in proportion, with a legend below."""
    longest = max(sum(parts.values()) for parts in bars.values())
    kinds = list(dict.fromkeys(kind for parts in bars.values() for kind in parts))
    colour = dict(zip(kinds, COLOURS, strict=False))
    room = WIDTH - LEFT - 80
    drawn, y = [], 10
    for name, parts in bars.items():
        drawn.append(_text(0, y + 20, name))
        x = float(LEFT)
        for kind, value in parts.items():
            width = room * value / longest
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="30" '
                f'fill="{colour[kind]}"><title>{escape(kind)}: {value:.2f} {unit}</title></rect>'
            )
            x += width
        drawn.append(_text(x + 6, y + 20, f"{sum(parts.values()):.1f} {unit}"))
        y += 44
    for number, kind in enumerate(kinds):
        x, below = number % 4 * WIDTH // 4, y + 6 + number // 4 * 22
        drawn.append(f'<rect x="{x}" y="{below}" width="12" height="12" fill="{colour[kind]}"/>')
        drawn.append(_text(x + 18, below + 11, kind))
    return _svg(y + 6 + (len(kinds) + 3) // 4 * 22, drawn)


def grouped_bars(bars: Mapping[str, Mapping[str, float]], left: int = 290) -> str:
    """Draw percentages: for each name one bar a kind, with a legend below."""
    kinds = list(dict.fromkeys(kind for parts in bars.values() for kind in parts))
    colour = dict(zip(kinds, COLOURS, strict=False))
    room = WIDTH - left - 60
    drawn, y = [], 6
    for name, parts in bars.items():
        drawn.append(_text(0, y + 7 * len(parts) + 4, name))
        for kind, percent in parts.items():
            wide = room * percent / 100
            drawn.append(
                f'<rect x="{left}" y="{y}" width="{max(wide, 1):.1f}" height="12" '
                f'fill="{colour[kind]}"><title>{escape(kind)}: {percent:.1f} %</title></rect>'
            )
            drawn.append(_text(left + wide + 6, y + 11, f"{percent:.1f}"))
            y += 14
        y += 10
    for number, kind in enumerate(kinds):
        below = y + 4 + 20 * number
        drawn.append(f'<rect x="0" y="{below}" width="12" height="12" fill="{colour[kind]}"/>')
        drawn.append(_text(18, below + 11, kind))
    return _svg(y + 10 + 20 * len(kinds), drawn)


def log_lines(lines: Mapping[str, Sequence[tuple[float, float]]], x_name: str, y_name: str) -> str:
    """Draw lines through points (x, y), both axes logarithmic, powers of ten marked."""
    points = [point for line in lines.values() for point in line]
    x_low, x_high = _decades([x for x, _ in points])
    y_low, y_high = _decades([y for _, y in points])
    top, bottom, right = 30, 330, WIDTH - 150

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_low) / (x_high - x_low)
        up = (math.log10(y) - y_low) / (y_high - y_low)
        return LEFT + across * (right - LEFT), bottom - up * (bottom - top)

    drawn = [_text(0, 16, y_name), _text((LEFT + right) / 2, bottom + 42, x_name)]
    for power in range(x_low, x_high + 1):
        x, _ = place(10.0**power, 10.0**y_low)
        drawn.append(f'<path class="axis" d="M{x:.1f} {top}V{bottom}"/>')
        drawn.append(_text(x - 20, bottom + 20, f"{10**power:,}"))
    for power in range(y_low, y_high + 1):
        _, y = place(10.0**x_low, 10.0**power)
        drawn.append(f'<path class="axis" d="M{LEFT} {y:.1f}H{right}"/>')
        drawn.append(_text(40, y + 4, f"{10.0**power:g}"))
    for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
        path = "L".join("{:.1f} {:.1f}".format(*place(x, y)) for x, y in line)
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = place(*line[-1])
        drawn.append(_text(x + 8, y + 4, name))
    return _svg(bottom + 50, drawn)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(height: float, drawn: Sequence[str]) -> str:
    body = "\n".join(drawn)
    box = f'viewBox="0 0 {WIDTH} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n{STYLE}\n{body}\n</svg>\n'
