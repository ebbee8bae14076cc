"""The one error that a user is meant to read, and those that become it."""

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
