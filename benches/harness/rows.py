"""Rows of the result: a figure, its peer's, the ratio, the bar, and whether it is met."""

from dataclasses import asdict, dataclass


@dataclass
class Row:
    """One comparison. `bar` is held against `value`; `None` says that nothing is asked."""

    area: str
    what: str
    figure: str
    peer: str
    ratio: str
    bar: str
    met: bool | None

    def words(self):
        return "-" if self.met is None else "met" if self.met else "MISSED"


def rate(number):
    return f"{number:,.0f}/s"


def microseconds(number):
    return f"{number:,.1f} us" if number < 1000 else f"{number / 1000:,.2f} ms"


def times(figure, peer):
    """The ratio as text."""
    return f"{figure / peer:.2f}" if peer else "-"


def text(rows):
    """The rows as a table of text."""
    cells = [["what", "gwtf", "peer", "ratio", "bar", ""]]
    cells += [[f"{r.area}: {r.what}", r.figure, r.peer, r.ratio, r.bar, r.words()] for r in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(rows):
    """The rows as a Markdown table."""
    lines = ["| | gwtf | peer | ratio | bar | |", "|---|---|---|---|---|---|"]
    lines += [f"| {r.area}: {r.what} | {r.figure} | {r.peer} | {r.ratio} | {r.bar} | {r.words()} |"
              for r in rows]
    return "\n".join(lines)


def documents(rows):
    """The rows as plain data."""
    return [asdict(row) for row in rows]
