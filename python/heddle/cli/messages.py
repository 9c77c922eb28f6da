"""Exit codes, and errors of one line with a hint."""

from __future__ import annotations

import sys

EXIT_REFUSED = 1
EXIT_USAGE = 2  # argparse's own
EXIT_DIFFERENT = 3
EXIT_UNREADABLE = 4


class Failure(Exception):
    """Ends a command: an error in one line, what to do about it, and the exit code."""

    def __init__(self, message: str, hint: str, code: int = EXIT_UNREADABLE) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def tell(failure: Failure) -> int:
    message = " ".join(str(failure).split())
    print(f"heddle: {message}\nhint: {failure.hint}", file=sys.stderr)
    return failure.code


def human(count: int) -> str:
    """Bytes for people: 1536 is '1.5 KiB'."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
