"""The page at `/` and its files, from this package and from the installed Plotly; it asks no warehouse."""

import gzip
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import Template

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from serve.entity_tag import entity_tag, matches

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
PLOTLY_NAME = f"plotly-{version('plotly')}.min.js"
"""Its version stands in its name, so a browser may keep it for ever."""
STRICT_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@router.get("/")
async def index(request: Request) -> Response:
    """Give the page."""
    body = _index_html()
    tag = entity_tag(body.decode())
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Security-Policy": STRICT_POLICY}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/html", headers=headers)


@router.get("/assets/{name}")
async def asset(name: str, request: Request) -> Response:
    """Give one of the page's files."""
    if name == PLOTLY_NAME:
        return await _plotly(request)
    file = FOLDER / name
    if file.parent != FOLDER or file.suffix not in MEDIA_TYPES or not file.is_file():
        raise HTTPException(404, "Not Found")
    body = file.read_bytes()
    headers = {"ETag": entity_tag(body.hex()), "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPES[file.suffix], headers=headers)


async def _plotly(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    plain, packed = await run_in_threadpool(_plotly_bytes)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})
    return Response(plain, media_type="text/javascript", headers=headers)


@cache
def _index_html() -> bytes:
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    return Template(text).substitute(plotly=PLOTLY_NAME).encode()


@cache
def _plotly_bytes() -> tuple[bytes, bytes]:
    """Read Plotly's script without importing Plotly; compress it once."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise HTTPException(404, "Plotly is not installed")
    plain = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return plain, gzip.compress(plain, 6)
