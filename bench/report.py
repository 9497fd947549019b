"""What is made of the rounds: medians, their spread, ratios, and the aims beside the figures."""

import statistics


def summary(runs, over="hone"):
    """Of each target's rounds: medians, spreads (half of the distance from the least to the greatest, relative to the median), ratios to `over`.

    A ratio is the median of the rounds' ratios: each round compares what ran within seconds of each other.
    """
    medians = {name: {key: statistics.median(run[key] for run in rounds) for key in rounds[0]} for name, rounds in runs.items()}
    spreads = {
        name: {key: spread([run[key] for run in rounds]) for key in rounds[0]} for name, rounds in runs.items()
    }
    ratios = {f"{over} / {name}": {key: ratio(runs, over, name, key) for key in runs[over][0]} for name in runs if name != over}
    return {"medians": medians, "spreads": spreads, "ratios": ratios, "rounds": runs}


def spread(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def ratio(runs, over, under, figure):
    """The median over the rounds, or None where the denominator is nothing."""
    pairs = [(a[figure], b[figure]) for a, b in zip(runs[over], runs[under]) if figure in b and b[figure] > 0]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def number(value):
    if value is None:
        return "–"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def table(title, rows, spreads=None):
    """Figures as rows and targets as columns; a spread stands behind its median."""
    figures = list(next(iter(rows.values())))
    lines = [f"| {title} | " + " | ".join(rows) + " |", "|---|" + "---:|" * len(rows)]
    for figure in figures:
        cells = []
        for name, row in rows.items():
            noise = f" ±{spreads[name][figure]:.0%}" if spreads else ""
            cells.append(number(row.get(figure)) + noise)
        lines.append(f"| {figure.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


VERDICTS = {True: "met", False: "**missed**", None: "undecided"}


def aim(what, value, limit, at_least=False):
    """One line of the table of aims. A value of None could not be measured, which decides nothing."""
    met = None if value is None else value >= limit if at_least else value <= limit
    return {"aim": what, "value": value, "limit": limit, "at_least": at_least, "met": met}


def aims_table(aims):
    lines = ["| aim | wanted | measured | |", "|---|---:|---:|---|"]
    for row in aims:
        sign = "≥" if row["at_least"] else "≤"
        lines.append(f"| {row['aim']} | {sign} {number(row['limit'])} | {number(row['value'])} | {VERDICTS[row['met']]} |")
    return "\n".join(lines)
