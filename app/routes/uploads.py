"""Where browsers send files and folders: straight to the disk, a block at a time, to a signed address.

``PUT /upload/{id}`` takes a file; ``GET`` says beforehand whether one of a given size would be taken, or
afterwards why one was not: a browser that is cut off while it sends does not see the answer. Of a folder,
``POST`` lists what it holds and says what of it is wanted, and a ``PUT`` that names this listing takes all of
that, one file after the other.

``POST /upload/{id}/part`` names what is to be sent by samples of its content, and says how much of it came
before; the ``PUT`` after it says at which byte it goes on. What is cut off then stays until it is given
again, ``DELETE /upload/{id}/part`` removes it, or it is swept. Without that, what is cut off is gone.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app import audit
from app.identity import is_needed
from app.routes.members import may_send
from app.settings import settings
from app.uploads.arrivals import ALLOWANCE, UPLOADS, Ticket
from app.uploads.disk import RefusedError, check_room
from app.uploads.dropped_folders import MAX_LISTING, Listings, list_folder, too_many
from app.uploads.parts import Arrived, Expected, Part
from app.web.assets import DROP_ASSETS
from app.web.buffers import SIGNER
from app.web.drop_contract import Begun, Listed, Problem, Received
from app.web.measures import UPLOADED
from app.web.visitor import bearer

NAME = "X-File-Name"  # percent-encoded; a header, because addresses are written to logs
LISTING = "X-Listing"
OFFSET = "X-Offset"
LISTINGS = Listings()
PART_S, BLOCK_S = 60.0, 600.0  # within which something, and a whole block, must come
BLOCK = 1 << 20
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CLOSE = {"Connection": "close"}  # so that the rest is not sent
_KEEP = _FRESH | {"Cache-Control": "public, max-age=31536000, immutable"}


async def _put(request: Request) -> Response:
    """Take a file, the files of a folder, or the rest of them."""
    ticket = None
    try:
        ticket = await _ticket(request)
        with UPLOADS.one_at_a_time(ticket):
            ticket.problem = ""
            ticket.arrived = arrived = await _receive(request, ticket)
    except RefusedError as refused:
        if ticket and refused.status != 409 and not refused.kept:
            ticket.problem = str(refused)
        return _say(str(refused), refused.status, _CLOSE)
    return JSONResponse(_received(arrived), 201, _FRESH)


async def _ask(request: Request) -> Response:
    """Say whether a file would be taken, or why the last one was not."""
    try:
        ticket = await _ticket(request)
        if NAME in request.headers:
            expected = ticket.expect(_name(request), _number(request.query_params.get("bytes")))
            await run_in_threadpool(check_room, ticket.library.uploads, expected.n_bytes or 0)
    except RefusedError as refused:
        return _say(str(refused), refused.status)
    return _say(ticket.problem, 200)


async def _list(request: Request) -> Response:
    """Say what of a folder is wanted."""
    try:
        ticket = await _ticket(request)
        with UPLOADS.one_at_a_time(ticket):
            lines = await _body(request)
            listing = await run_in_threadpool(list_folder, ticket, _name(request), lines)
    except RefusedError as refused:
        return _say(str(refused), refused.status, _CLOSE)
    listed: Listed = {
        "problem": "",
        "listing": LISTINGS.put(ticket, listing),
        "unwanted": list(listing.unwanted),
    }
    return JSONResponse(listed, 200, _FRESH)


async def _begin(request: Request) -> Response:
    """Say how much of something came before."""
    try:
        ticket = await _ticket(request)
        with UPLOADS.one_at_a_time(ticket):
            told = await _body(request)
            ticket.problem = ""
            expected = _expected(request, ticket, _number(request.query_params.get("bytes")))
            offset = await run_in_threadpool(ticket.begin, expected, told)
    except RefusedError as refused:
        return _say(str(refused), refused.status, _CLOSE)
    received = _received(ticket.arrived) if ticket.arrived else None
    begun: Begun = {"problem": "", "offset": offset, "received": received}
    return JSONResponse(begun, 200, _FRESH)


async def _forget(request: Request) -> Response:
    """Remove what came of what was begun."""
    try:
        ticket = await _ticket(request)
        with UPLOADS.one_at_a_time(ticket):
            forgotten = await run_in_threadpool(ticket.forget)
    except RefusedError as refused:
        return _say(str(refused), refused.status)
    return _say("", 200) if forgotten else _say("Nothing was begun here.", 404)


async def _asset(request: Request) -> Response:
    """Give a script or style; they are no secret, and the same for everybody."""
    known = request.path_params["version"] == DROP_ASSETS.version
    content, kind = DROP_ASSETS.files.get(request.path_params["name"], (b"", ""))
    if not (known and kind):
        return Response("This is no longer served. Open the page again.", 404, _FRESH)
    return Response(content, 200, _KEEP, kind)


async def _ticket(request: Request) -> Ticket:
    upload_id = request.path_params["upload_id"]
    if not SIGNER.accepts(f"/upload/{upload_id}", request.query_params, bearer(request)):
        audit.refused(settings().home)
        status = 404 if is_needed() else 403  # to others, it is as if it were not there
        raise RefusedError(status, "This address has expired or was not made by this server.")
    ticket = UPLOADS.get(upload_id)
    if ticket is None or not await may_send(request, ticket):
        raise RefusedError(404, "The page was open for too long. Choose the file again.")
    return ticket


async def _receive(request: Request, ticket: Ticket) -> Arrived:
    """Write the body to the disk while it comes; what is cut off stays only if it can go on."""
    part = await run_in_threadpool(_part, request, ticket)
    parts = request.stream()
    try:
        while block := await _next_block(parts):
            ticket.check_size(part.n_bytes + len(block))
            ALLOWANCE.spend(ticket.owner, len(block))
            await run_in_threadpool(part.write, block)
            UPLOADED.inc(len(block))
        return await run_in_threadpool(part.finish)
    except ClientDisconnect as error:
        words = "The connection broke off before all had come."
        raise RefusedError(400, words, kept=await run_in_threadpool(part.leave)) from error
    except TimeoutError as error:
        words = "The connection is too slow, or stood still."
        raise RefusedError(408, words, kept=await run_in_threadpool(part.leave)) from error
    except asyncio.CancelledError:  # the server is stopped
        part.leave()
        raise
    except BaseException:
        await run_in_threadpool(part.discard)
        raise


def _part(request: Request, ticket: Ticket) -> Part:
    """Open what a request writes to."""
    n_bytes = _number(request.headers.get("content-length"))
    if (offset := _number(request.headers.get(OFFSET))) is not None:
        return ticket.go_on(offset, n_bytes)
    expected = _expected(request, ticket, n_bytes)
    ticket.drop()
    return Part(ticket.library, expected)


def _expected(request: Request, ticket: Ticket, n_bytes: int | None) -> Expected:
    """Say what a request is about: a folder that was listed, or a file."""
    if listing_id := request.headers.get(LISTING):
        return LISTINGS.take(ticket, listing_id)
    return ticket.expect(_name(request), n_bytes)


async def _body(request: Request) -> bytes:
    """Read a body that is held in memory."""
    body = bytearray()
    parts = request.stream()
    try:
        while block := await _next_block(parts):
            body += block
            if len(body) > MAX_LISTING:
                raise too_many()
    except (ClientDisconnect, TimeoutError) as error:
        raise RefusedError(400, "The connection broke off.") from error
    return bytes(body)


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


def _number(text: str | None) -> int | None:
    """Read a number of bytes; digits too many to be one are more than any limit."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return int(text[:20])


def _received(arrived: Arrived) -> Received:
    return {"name": arrived.name, "bytes": arrived.n_bytes, "sha256": arrived.sha256}


def _say(words: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    problem: Problem = {"problem": words}
    return JSONResponse(problem, status, {**_FRESH, **(headers or {})})


UPLOAD_ROUTES = [
    Route(f"{DROP_ASSETS.route}/{{version}}/{{name}}", _asset),
    Route("/upload/{upload_id}", _put, methods=["PUT"]),
    Route("/upload/{upload_id}", _ask, methods=["GET"]),
    Route("/upload/{upload_id}", _list, methods=["POST"]),
    Route("/upload/{upload_id}/part", _begin, methods=["POST"]),
    Route("/upload/{upload_id}/part", _forget, methods=["DELETE"]),
]
