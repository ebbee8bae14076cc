"""The one error that a user is meant to read."""


class InputError(ValueError):
    """Input that squint refuses, said in one plain line: what is wrong, where, and what to do next.

    The command line prints it and exits with 2; the dashboard shows it on the page. Anything else that is
    raised is a defect of squint.
    """
