"""Where browsers send files and folders: straight to the disk, a block at a time, to a signed address.

``PUT /upload/{id}`` takes a file; ``GET`` says beforehand whether one of a given size would be taken, or
afterwards why one was not: a browser that is cut off while it sends does not see the answer. Of a folder,
``POST`` lists what it holds and says what of it is wanted, and a ``PUT`` that names this listing takes all of
that, one file after the other.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.uploads.arrivals import UPLOADS, Arrival, Arrived, RefusedError, Ticket
from app.uploads.dropped_folders import MAX_LISTING, FolderArrival, Listings, list_folder, too_many
from app.web.assets import DROP_ASSETS
from app.web.buffers import SIGNER
from app.web.drop_contract import Listed, Problem, Received

NAME = "X-File-Name"  # percent-encoded; a header, because addresses are written to logs
LISTING = "X-Listing"
LISTINGS = Listings()
PART_S, BLOCK_S = 60.0, 600.0  # within which something, and a whole block, must come
BLOCK = 1 << 20
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_KEEP = _FRESH | {"Cache-Control": "public, max-age=31536000, immutable"}


async def _put(request: Request) -> Response:
    """Take a file, or the files of a folder."""
    ticket = None
    try:
        ticket = _ticket(request)
        with UPLOADS.one_at_a_time(ticket):
            ticket.problem = ""
            ticket.arrived = arrived = await _receive(request, ticket)
    except RefusedError as refused:
        if ticket and refused.status != 409:
            ticket.problem = str(refused)
        return _say(str(refused), refused.status, {"Connection": "close"})  # so that the rest is not sent
    received: Received = {"name": arrived.name, "bytes": arrived.n_bytes, "sha256": arrived.sha256}
    return JSONResponse(received, 201, _FRESH)


async def _ask(request: Request) -> Response:
    """Say whether a file would be taken, or why the last one was not."""
    try:
        ticket = _ticket(request)
        if NAME in request.headers:
            await run_in_threadpool(ticket.check, _name(request), _size(request.query_params.get("bytes")))
    except RefusedError as refused:
        return _say(str(refused), refused.status)
    return _say(ticket.problem, 200)


async def _list(request: Request) -> Response:
    """Say what of a folder is wanted."""
    try:
        ticket = _ticket(request)
        with UPLOADS.one_at_a_time(ticket):
            lines = bytearray()
            parts = request.stream()
            while block := await _next_block(parts):
                lines += block
                if len(lines) > MAX_LISTING:
                    raise too_many()
            listing = await run_in_threadpool(list_folder, ticket, _name(request), bytes(lines))
    except RefusedError as refused:
        return _say(str(refused), refused.status, {"Connection": "close"})
    except (ClientDisconnect, TimeoutError):
        return _say("The connection broke off.", 400)
    listed: Listed = {
        "problem": "",
        "listing": LISTINGS.put(ticket, listing),
        "unwanted": list(listing.unwanted),
    }
    return JSONResponse(listed, 200, _FRESH)


async def _asset(request: Request) -> Response:
    """Give a script or style; they are no secret, and the same for everybody."""
    known = request.path_params["version"] == DROP_ASSETS.version
    content, kind = DROP_ASSETS.files.get(request.path_params["name"], (b"", ""))
    if not (known and kind):
        return Response("This is no longer served. Open the page again.", 404, _FRESH)
    return Response(content, 200, _KEEP, kind)


def _ticket(request: Request) -> Ticket:
    upload_id = request.path_params["upload_id"]
    if not SIGNER.accepts(f"/upload/{upload_id}", request.query_params):
        raise RefusedError(403, "This address has expired or was not made by this server.")
    ticket = UPLOADS.get(upload_id)
    if ticket is None:
        raise RefusedError(404, "The page was open for too long. Choose the file again.")
    return ticket


async def _receive(request: Request, ticket: Ticket) -> Arrived:
    """Write the body to the disk while it comes; remove it again if it does not come whole."""
    arrival = await run_in_threadpool(_expect, request, ticket)
    parts = request.stream()
    try:
        while block := await _next_block(parts):
            ticket.check_size(arrival.n_bytes + len(block))
            await run_in_threadpool(arrival.write, block)
        return await run_in_threadpool(arrival.finish)
    except ClientDisconnect as error:
        arrival.discard()
        raise RefusedError(400, "The connection broke off before all had come.") from error
    except TimeoutError as error:
        arrival.discard()
        raise RefusedError(408, "The connection is too slow, or stood still.") from error
    except BaseException:  # the server may be stopped too
        arrival.discard()
        raise


def _expect(request: Request, ticket: Ticket) -> Arrival | FolderArrival:
    """Begin to write what a request brings."""
    if listing_id := request.headers.get(LISTING):
        return FolderArrival(ticket, LISTINGS.take(ticket, listing_id))
    return ticket.expect(_name(request), _size(request.headers.get("content-length")))


async def _next_block(parts: AsyncGenerator[bytes]) -> bytearray:
    """Gather what comes, so that the disk is not asked for every packet; empty at the end."""
    block = bytearray()
    async with asyncio.timeout(BLOCK_S):
        while len(block) < BLOCK:
            async with asyncio.timeout(PART_S):
                part = await anext(parts, None)
            if part is None:
                break
            block += part
    return block


def _name(request: Request) -> str:
    return unquote(request.headers.get(NAME, ""), errors="replace")


def _size(text: str | None) -> int | None:
    """Read a size; digits too many to be one are more than any limit."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return int(text[:20])


def _say(words: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    problem: Problem = {"problem": words}
    return JSONResponse(problem, status, {**_FRESH, **(headers or {})})


UPLOAD_ROUTES = [
    Route(f"{DROP_ASSETS.route}/{{version}}/{{name}}", _asset),
    Route("/upload/{upload_id}", _put, methods=["PUT"]),
    Route("/upload/{upload_id}", _ask, methods=["GET"]),
    Route("/upload/{upload_id}", _list, methods=["POST"]),
]
