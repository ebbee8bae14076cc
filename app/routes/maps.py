"""What the map fetches beside the socket. Streamlit does not protect these addresses, so each is signed."""

import json
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app import audit
from app.engine.client import Cancelled, ask
from app.identity import is_needed
from app.maps.card import card
from app.maps.served import MAPS, Served
from app.maps.stage import leave_stage
from app.requests import DrawStage, MakeTiles
from app.routes.members import library_of, may_see
from app.routes.waiting import Latest, answer
from app.settings import settings
from app.text import without_folders
from app.web.assets import MAP_ASSETS
from app.web.buffers import BUFFERS, SIGNER, seconds_left
from app.web.visitor import bearer
from squint.errors import InputError
from squint.library.boundary_tiles import header_of, tile_of
from squint.library.images import Images
from squint.library.store import Library

_AS_IT_IS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Encoding": "identity",  # Streamlit would compress, which takes longer than sending
}
_FOREVER = _AS_IT_IS | {"Cache-Control": "public, max-age=31536000, immutable"}
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_MAX_STATE = 64_000  # bytes
_LIMIT_S = 10  # for drawing a picture: a million cells take one
_PATIENCE_S = 30  # with the wait for what was asked for before
_TILES_S = 600  # with a worker that cuts the cells of a section that was kept before there were tiles
_LATEST = Latest()
_REFUSED = Response("This address has expired or was not made by this server.", 403, _FRESH)
_GONE = Response("This is no longer served. Open the page again.", 404, _FRESH)

Answer = Callable[[Request], Awaitable[Response]]


def _while_good(request: Request) -> dict[str, str]:
    """Let the browser keep what it got for as long as the address is good: no longer than it may see it."""
    return _AS_IT_IS | {"Cache-Control": f"private, max-age={seconds_left(request.query_params)}, immutable"}


def _signed(scope: str) -> Callable[[Answer], Answer]:
    """Answer only where the part of the path named by ``scope`` was signed here, for this browser."""

    def decorate(answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            path = scope.format(**request.path_params)
            if SIGNER.accepts(path, request.query_params, bearer(request)):
                return await answer(request)
            audit.refused(settings().home)
            return _GONE if is_needed() else _REFUSED  # to others, it is as if it were not there

        return guarded

    return decorate


def _of_member(answer: Callable[[Request, Library], Awaitable[Response]]) -> Answer:
    """Answer only a member of the project that is named in the path, with its library."""

    async def guarded(request: Request) -> Response:
        library = await library_of(request, request.path_params["project"])
        return _GONE if library is None else await answer(request, library)

    return guarded


@_signed("/map/buffer/{project}/{name}")
@_of_member
async def _buffer(request: Request, _library: Library) -> Response:
    content = BUFFERS.get(request.path_params["name"])
    if content is None:
        return _GONE
    return Response(content, 200, _while_good(request), "application/octet-stream")


@_signed("/map/{map_id}")
async def _cell(request: Request) -> Response:
    """Tell what is known of the cell that is drawn at a place of a panel."""
    served, panel, place = await _of_map(request), request.path_params["panel"], request.path_params["place"]
    if served is None or panel >= len(served.orders) or place >= len(served.orders[panel]):
        return _GONE
    row = int(served.orders[panel][place])
    return JSONResponse(await run_in_threadpool(card, served, panel, row), 200, _FRESH)


@_signed("/map/{map_id}")
async def _state(request: Request) -> Response:
    """Remember the reader's settings, which an export follows; they are checked where they are used."""
    told = await _told(request)
    if isinstance(told, Response):
        return told
    served, state = told
    served.remember(state)
    return Response(None, 204, _FRESH)


@_signed("/map/{map_id}")
async def _picture(request: Request) -> Response:
    """Let a worker draw the map as the browser says that it is seen."""
    told = await _told(request)
    if isinstance(told, Response):
        return told
    library = told[0].library
    folder = None
    try:
        folder = await run_in_threadpool(_leave, library, *told)
        job = await run_in_threadpool(partial(ask, DrawStage(str(folder)), library, limit_s=_LIMIT_S))
        async with _LATEST.only(request.path_params["map_id"], job):
            path = await answer(job, request, _PATIENCE_S)
        drawn = await run_in_threadpool(Path(path).read_bytes)
    except InputError as error:
        return Response(without_folders(str(error)), 400, _FRESH, "text/plain")
    except Cancelled:
        return Response("Another picture was asked for meanwhile.", 409, _FRESH, "text/plain")
    except RuntimeError:
        return Response("The cells could not be drawn: see the server's log.", 500, _FRESH, "text/plain")
    except OSError:  # a timeout among them
        return Response("The server is busy. Move the map to try again.", 503, _FRESH, "text/plain")
    finally:
        if folder is not None:
            await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)
    return Response(drawn, 200, _FRESH, "image/png")


def _leave(library: Library, served: Served, state: dict[str, Any]) -> Path:
    """Leave what a map shows where a worker finds it; return the folder."""
    with library.handed_out() as folder:
        leave_stage(folder, served, state)
    return folder


async def _told(request: Request) -> tuple[Served, dict[str, Any]] | Response:
    """Give a map and the object that was posted of it, or say what is wrong."""
    served = await _of_map(request)
    if served is None:
        return _GONE
    posted = await _object(request)
    return posted if isinstance(posted, Response) else (served, posted)


async def _object(request: Request) -> dict[str, Any] | Response:
    """Read the object that was posted, or say what is wrong with it."""
    content = b""
    try:
        async for part in request.stream():
            content += part
            if len(content) > _MAX_STATE:
                return Response("Too long.", 413, _FRESH)
    except ClientDisconnect:
        return Response("The connection broke off.", 400, _FRESH)
    try:
        given: Any = json.loads(content)
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else Response("Not an object.", 400, _FRESH)


@_signed("/map/tiles/{project}/{section}/{image}")
@_of_member
async def _tile(request: Request, library: Library) -> Response:
    """Give a tile of the picture under the cells of a section."""
    where = request.path_params
    try:
        images = Images(library)
        tile = await run_in_threadpool(
            images.tile, where["section"], where["image"], where["level"], where["column"], where["row"]
        )
    except InputError:
        tile = None
    return _GONE if tile is None else Response(tile, 200, _while_good(request), "application/octet-stream")


@_signed("/map/boundaries/{project}/{section}")
@_of_member
async def _boundaries(request: Request, library: Library) -> Response:
    """Say in what tiles the outlines of cells come; a worker makes them where there are none yet."""
    section = request.path_params["section"]
    try:
        header = await run_in_threadpool(header_of, library, section)
        if header is None:
            job = await run_in_threadpool(ask, MakeTiles(section), library)
            await answer(job, request, _TILES_S)
            header = await run_in_threadpool(header_of, library, section)
    except (InputError, Cancelled, RuntimeError):
        header = None
    except OSError:  # a timeout among them
        return Response("The server is busy.", 503, _FRESH, "text/plain")
    return _GONE if header is None else JSONResponse(header, 200, _FRESH)


@_signed("/map/boundaries/{project}/{section}")
@_of_member
async def _boundary_tile(request: Request, library: Library) -> Response:
    """Give a tile of the outlines of a section's cells."""
    where = request.path_params
    try:
        tile = await run_in_threadpool(
            tile_of, library, where["section"], where["level"], where["number"], where["name"]
        )
    except (InputError, OSError):
        tile = None
    return _GONE if tile is None else Response(tile, 200, _while_good(request), "application/octet-stream")


async def _asset(request: Request) -> Response:
    """Give a script or style; they are no secret, and the same for everybody."""
    known = request.path_params["version"] == MAP_ASSETS.version
    content, kind = MAP_ASSETS.files.get(request.path_params["name"], (b"", ""))
    return Response(content, 200, _FOREVER, kind) if known and kind else _GONE


async def _of_map(request: Request) -> Served | None:
    """Give the map that is asked for, to a member of the project that it shows."""
    served = MAPS.get(request.path_params["map_id"])
    return served if served is not None and await may_see(request, served.library) else None


ROUTES = [
    Route(f"{MAP_ASSETS.route}/{{version}}/{{name}}", _asset),
    Route("/map/buffer/{project}/{name}", _buffer),
    Route("/map/tiles/{project}/{section}/{image}/{level:int}/{column:int}/{row:int}", _tile),
    Route("/map/boundaries/{project}/{section}/index", _boundaries),
    Route("/map/boundaries/{project}/{section}/{level:int}/{number:int}/{name}", _boundary_tile),
    Route("/map/{map_id}/cell/{panel:int}/{place:int}", _cell),
    Route("/map/{map_id}/state", _state, methods=["POST"]),
    Route("/map/{map_id}/picture", _picture, methods=["POST"]),
]
