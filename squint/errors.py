"""The one error that a user is meant to read, its kin, and those that become it."""

from collections.abc import Iterator
from contextlib import contextmanager

# What readers of files were seen to raise where bytes were flipped or missing. Only calls that read from such
# a file are inside the blocks that turn these into one plain line.
DAMAGED = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    MemoryError,
    ImportError,
)


class InputError(ValueError):
    """Input that squint refuses, said in one plain line: what is wrong, where, and what to do next.

    The command line prints it and exits with 2; the dashboard shows it on the page. Anything else that is
    raised is a defect of squint.
    """


class NothingFoundError(InputError):
    """Input that is sound and holds nothing of what is asked for, which is an answer too."""


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Import in this block what only an extra of ours installs, or say to install it.

    Parameters
    ----------
    name
        The extra, as ``pip install 'squint[NAME]'`` has it.
    what
        What needs it: an option, or an analysis.

    Raises
    ------
    InputError
        If something is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("squint"):
            raise
        raise InputError(
            f"{what} needs {error.name}, which is not installed. Run: pip install 'squint[{name}]'"
        ) from None
