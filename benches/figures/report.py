"""Tables, medians and verdicts."""

from collections.abc import Iterable, Sequence
from statistics import median


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The median, with the least and the greatest value: `3.10 (3.02–3.55)`."""
    if len(values) == 1:
        return format(values[0], form)
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def verdicts(*targets: tuple[str, bool]) -> str:
    """A list of targets, each with whether it is met."""
    return "\n".join(f"- {'met' if met else '**MISSED**'}: {what}" for what, met in targets)


def section(title: str, *paragraphs: str) -> str:
    """A headline and what is below it; empty paragraphs are left out."""
    return "\n\n".join([f"## {title}", *(paragraph for paragraph in paragraphs if paragraph)])
