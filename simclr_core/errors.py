"""The one exception tree. Catch `SimclrError` to show a person what to do; let anything else propagate, it is a bug.

    SimclrError
    ├── ConfigError       a parameter is out of its range, or its name is unknown
    ├── DataError         images, embeddings or pairs cannot be used as given
    ├── CheckpointError   an encoder file cannot be read or does not match
    └── RunError          a run directory: locked, missing, disk full, loss not finite

Every message reads "`name` must be RULE, got VALUE; what to do".
"""

from typing import Any


class SimclrError(Exception):
    """A bad input, told in one sentence."""


class ConfigError(SimclrError, ValueError):
    """A parameter is out of its range, or its name is unknown."""


class DataError(SimclrError, ValueError):
    """Images, embeddings or pairs cannot be used as given."""


class CheckpointError(SimclrError):
    """An encoder file cannot be read or does not match the architecture."""


class RunError(SimclrError):
    """A run directory is locked, missing, incomplete, or its run had to stop."""


def sentence(name: str, rule: str, value: Any, remedy: str) -> str:
    """Word an error the way the whole project does."""
    return f"`{name}` must be {rule}, got {value!r}; {remedy}"
