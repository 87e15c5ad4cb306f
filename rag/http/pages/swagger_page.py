"""The page at `/`: Swagger UI from the files that BentoML ships, without the tracker of BentoML's own page."""

from __future__ import annotations

from starlette.responses import HTMLResponse

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""The page loads nothing from other hosts, runs no inline script, and no other page can frame it."""
_HTML = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>RAG: API</title>
    <link rel="stylesheet" href="./static_content/swagger-ui.css">
    <link rel="icon" type="image/png" href="./static_content/favicon-light-32x32.png" sizes="32x32">
  </head>
  <body>
    <p style="margin: 1rem auto 0; max-width: 1460px; padding: 0 20px; font-family: sans-serif">
      <a href="./ui">Ask questions and manage documents on the page at /ui</a>
    </p>
    <div id="swagger-ui"></div>
    <script src="./static_content/swagger-ui-bundle.js"></script>
    <script src="./static_content/swagger-ui-standalone-preset.js"></script>
    <script src="./static_content/swagger-initializer.js"></script>
  </body>
</html>
"""


def swagger_page() -> HTMLResponse:
    return HTMLResponse(_HTML, headers=HEADERS)
