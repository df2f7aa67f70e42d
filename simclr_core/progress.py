"""How long work tells where it is, and how it is asked to stop: one callable, so that a page, a command and a test share it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], bool]
"""Called with the share done in [0, 1] and a short message; returning True asks the work to stop with what it has."""


def silent(share: float, message: str) -> bool:
    """Report nothing and never stop."""
    return False


class Stopped(Exception):
    """The work was asked to stop and has no partial result to give."""


def stretch(progress: Progress, start: float, end: float) -> Progress:
    """What a part of the work reports: its own share from 0 to 1 is the whole's from start to end."""

    def told(share: float, message: str) -> bool:
        return progress(start + (end - start) * share, message)

    return told
