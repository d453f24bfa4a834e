# SPDX-License-Identifier: AGPL-3.0-or-later
"""Grave acts ask once more who sits there: opening all doors, exports, keys, accounts (OWASP ASVS 5.0, 7.5.3).

Nothing is done before; the person proves who they are and comes back to the page they were on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

from flask import Response, redirect, request

from booking_server.web import request as state

View = TypeVar("View", bound=Callable[..., Any])


def confirmed(view: View) -> View:
    """Let `view` run only in a session in which somebody proved who they are within the last minutes."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if is_confirmed() else to_confirm()

    return cast(View, guarded)


def is_confirmed() -> bool:
    return state.signed_session().is_confirmed(state.now())


def to_confirm() -> Response:
    """Send to the proof, and from there to the page that was open: a form is then sent by a person once more."""
    page = request.full_path.rstrip("?") if request.method == "GET" else urlsplit(request.referrer or "/").path
    there = f"/confirm?next={quote(page)}"
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": there})
    return cast(Response, redirect(there, 303))
