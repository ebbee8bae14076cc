"""What every answer tells a browser: what a page may load, ask, frame and be framed by."""

import base64
import hashlib
import re
from collections.abc import Mapping

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_DENIED = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)


def security_headers(page: str) -> Mapping[str, str]:
    """Give the headers of every answer.

    Parameters
    ----------
    page
        HTML of Streamlit's page, whose one script of its own is allowed by its hash.

    Notes
    -----
    Streamlit starts the scripts of components from ``blob:``, reads its messages with WebAssembly, and writes
    styles into the page; all else comes from this server. No text is evaluated as a program: charts that
    need that (Plotly's ``scattergl``) are not drawn in pages.
    """
    inline = " ".join(f"'sha256-{_hash(script)}'" for script in _SCRIPT.findall(page))
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' blob: 'wasm-unsafe-eval' {inline}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _DENIED),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
