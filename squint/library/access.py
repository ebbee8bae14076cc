"""What the holder of a library may do in it: everything, unless whoever opened it says otherwise."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from squint.errors import InputError
from squint.library.people import ADMIN, ANALYST, VIEWER

_ENOUGH = {
    VIEWER: "You are not in this project any more.",
    ANALYST: "You may look at this project, and not change it. Ask an admin for the role of an analyst.",
    ADMIN: "Only admins may do this.",
}


class NotAllowedError(InputError):
    """Somebody asked for what they have no right to."""

    def __init__(self, role: str) -> None:
        super().__init__(_ENOUGH[role])


class Access:
    """The right to everything, as whoever has the machine has it."""

    def require(self, role: str, what: str = "change") -> None:
        """See that what a role may do is allowed now.

        Parameters
        ----------
        role
            VIEWER, ANALYST or ADMIN.
        what
            Is about to be done, in one word, for the trace that a refusal leaves.

        Raises
        ------
        NotAllowedError
            If it is not.
        """


class _Held(Protocol):
    @property
    def access(self) -> Access: ...


Holder = TypeVar("Holder", bound=_Held)
P = ParamSpec("P")
Given = TypeVar("Given")


def changing(
    function: Callable[Concatenate[Holder, P], Given],
) -> Callable[Concatenate[Holder, P], Given]:
    """Refuse a function that changes a library, its first argument, to whoever may only look at that.

    Raises
    ------
    NotAllowedError
        Before anything is done.
    """

    @wraps(function)
    def guarded(holder: Holder, /, *args: P.args, **kwargs: P.kwargs) -> Given:
        holder.access.require(ANALYST, function.__name__)
        return function(holder, *args, **kwargs)

    return guarded
