"""A Dask scheduler that runs elsewhere, reached by its address."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, cast

from distributed import Client, Security
from distributed.comm.core import connect as open_comm

from squint.errors import InputError

CONNECT_S = 5.0  # to reach a scheduler
WORKERS_S = 30.0  # until its first worker is there


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Connect to a Dask scheduler whose workers run the same squint as this process.

    Parameters
    ----------
    address
        Where it listens, such as ``tcp://127.0.0.1:8786``. For ``tls://`` Dask's own settings name the
        certificates.

    Yields
    ------
    The client. When it is left, for whatever reason, tasks that have not begun are cancelled.

    Raises
    ------
    InputError
        If nobody answers, no worker comes, or versions differ.
    """
    try:
        with ThreadPoolExecutor(1) as pool:  # a thread, because a notebook has a running loop of its own
            pool.submit(asyncio.run, _reach(address)).result()
    except (OSError, ValueError, TypeError) as error:  # nobody there; no address; no certificates for tls
        raise InputError(
            f"No Dask scheduler answers at {address}: {str(error) or 'timed out'}. "
            "Start one with `dask scheduler`, or check the address."
        ) from error
    with Client(address, timeout=CONNECT_S, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_S)
        except TimeoutError:
            raise InputError(
                f"The scheduler at {address} has no workers. Start some with `dask worker {address}`."
            ) from None
        _check_versions(client)
        yield client


async def _reach(address: str) -> None:
    """Connect once: a `Client` waits for ever where something else answers, such as Dask's own dashboard."""
    async with asyncio.timeout(CONNECT_S):
        comm = await open_comm(address, timeout=CONNECT_S, **Security().get_connection_args("client"))
        await comm.close()


def _check_versions(client: Client) -> None:
    """Refuse a scheduler or workers with another squint; Dask reads the versions without importing it."""
    found = cast("dict[str, dict[str, Any]]", client.get_versions(packages=["squint"]))
    ours = version("squint")
    for name, machine in {"the scheduler": found["scheduler"], **found["workers"]}.items():
        theirs = machine["packages"]["squint"]
        if theirs != ours:
            raise InputError(
                f"squint is {ours} here and {theirs or 'not installed'} at {name}. "
                "Install the same version for scheduler and workers."
            )
