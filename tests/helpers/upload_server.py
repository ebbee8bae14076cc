"""The routes of uploads in a process to be killed: ``python -m tests.helpers.upload_server HOME LIMIT``.

It prints its port and the address to send to.
"""

import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from app.routes.uploads import UPLOAD_ROUTES
from app.uploads.arrivals import UPLOADS
from app.web.buffers import SIGNER
from squint.library import naming
from squint.library.store import Library

if __name__ == "__main__":
    library, limit = Library(Path(sys.argv[1])), int(sys.argv[2])
    upload_id = UPLOADS.open(library, naming.file_name, limit, naming.folder_name)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]} {SIGNER.sign(f'/upload/{upload_id}')}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(Starlette(routes=UPLOAD_ROUTES), log_level="error")).run([listening])
