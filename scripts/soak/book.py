"""docs/soak.md: every part of the soak keeps its figures there, under a heading of its own."""

import pathlib
import sys

PROJECT = pathlib.Path(__file__).parent.parent.parent
PAGE = PROJECT / "docs/soak.md"
HEAD = "# Soak\n\nWritten by `make soak`, whose parts add their figures as they go.\n"

# What a part needs to know of the machine, the benchmark knows already.
sys.path.append(str(PROJECT / "scripts/bench"))


def sections():
    """What stands under each heading, without blank lines around it."""
    parts = PAGE.read_text().split("\n## ")[1:] if PAGE.exists() else []
    split = (part.split("\n", 1) for part in parts)
    return {title: text.strip().splitlines() for title, text in split}


def rows(title):
    """The rows of the table under a heading, without the two that name its columns."""
    return [line for line in sections().get(title, []) if line.startswith("|")][2:]


def write(title, lines, last=False):
    """Puts these lines under a heading, in place of what stood there, or at the end of the page."""
    pages = sections()
    if last:
        pages.pop(title, None)
    pages[title] = lines
    PAGE.write_text(HEAD + "".join(f"\n## {title}\n\n" + "\n".join(text) + "\n" for title, text in pages.items()))
