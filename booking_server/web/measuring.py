# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counts and times what the pages are asked, by the page's name and never by its address, which may hold whose page it is.

What changes something, goes wrong or takes long is a line in the log too, with the account's number; a page that was only
looked at is none: who looked at whose movements is the audit's to keep.
"""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter, Gauge, Histogram

from booking_server.logs import SECURITY_EVENTS, Security
from booking_server.web import request as state

SLOW_SECONDS = 1.0
_ONLY_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})

REQUESTS = Counter("hubkey_requests", "Answers of the pages, by page and status.", ["endpoint", "status"])
REQUEST_SECONDS = Histogram(
    "hubkey_request_seconds",
    "How long the pages took to answer, by page.",
    ["endpoint"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
STREAMS = Gauge("hubkey_streams_open", "Open pages that are told when something changes.")

_log = structlog.get_logger()


def watch(app: Flask) -> None:
    """Count every answer of `app` from here on. To be called before other hooks, so that their time counts too."""
    app.before_request(_begin)
    app.after_request(_end)
    for what in Security:
        SECURITY_EVENTS.labels(what.value)


def _begin() -> None:
    g.began = state.clock().monotonic()


def _end(response: Response) -> Response:
    endpoint, status = request.endpoint or "none", response.status_code
    seconds = state.clock().monotonic() - g.get("began", state.clock().monotonic())  # a guard before may have answered
    REQUESTS.labels(endpoint, status).inc()
    REQUEST_SECONDS.labels(endpoint).observe(seconds)
    if request.method not in _ONLY_LOOKS or status >= 400 or seconds >= SLOW_SECONDS:
        account = state.actor().account_id if state.is_signed_in() else None
        method = request.method if request.method in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        _log.info("answered", method=method, endpoint=endpoint, status=status, ms=round(seconds * 1000), account=account)
    return response
