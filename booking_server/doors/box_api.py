# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a new box says to the server over HTTPS before anybody knows it: three addresses, JSON both ways, no session, no secret.

It opens nothing and shows nothing of the hub: only people who compare the code turn a box into a door. docs/protocol.md
describes it for builders of other doors.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import structlog
from flask import Blueprint, request
from werkzeug.wrappers import Response

from access_contract.enrolling import Asked, BadWord, Refusal, Revealed
from access_contract.explaining import explained
from booking_server.actors import SYSTEM
from booking_server.doors import enrolment
from booking_server.errors import BookingServerError, NotFound
from booking_server.logs import network_of
from booking_server.web.request import config, database, now

pages = Blueprint("box_api", __name__)
Shape = TypeVar("Shape", bound=msgspec.Struct)

_log = structlog.get_logger()


@pages.post("/enrol")
def ask() -> Response:
    asked, address = _read(Asked), request.remote_addr or ""
    with database().read() as tx:
        enrolment.make_room(tx, now=now(), address=address)
    with database().write() as tx:
        offered = enrolment.ask(tx, now=now(), config=config(), asked=asked, address=address)
    return _say(offered, 201)


@pages.post("/enrol/<enrolment_id>/nonce")
def reveal(enrolment_id: str) -> Response:
    nonce = _read(Revealed).nonce
    with database().read() as tx:
        known = enrolment.revealed(tx, enrolment_id=enrolment_id, nonce=nonce)
    if known is not None:
        return _say(known)
    with database().write() as tx:
        revealed = enrolment.reveal(tx, now=now(), enrolment_id=enrolment_id, nonce=nonce)
        box = enrolment.new_box(tx, SYSTEM, config=config(), enrolment_id=enrolment_id)
    _log.info("new_box", network=network_of(box.address), hardware=box.hardware)
    return _say(revealed)


@pages.get("/enrol/<enrolment_id>")
def standing(enrolment_id: str) -> Response:
    with database().read() as tx:
        return _say(enrolment.standing(tx, now=now(), enrolment_id=enrolment_id))


@pages.errorhandler(BadWord)
def _bad_word(problem: BadWord) -> Response:
    return _say(Refusal(error=str(problem), field=problem.field), 422)


@pages.errorhandler(BookingServerError)
def _refused(problem: BookingServerError) -> Response:
    if isinstance(problem, enrolment.TooMany):
        answer = _say(Refusal(error=str(problem)), 429)
        answer.headers["Retry-After"] = str(problem.wait_seconds)
        return answer
    return _say(Refusal(error=str(problem)), 404 if isinstance(problem, NotFound) else 422)


def _read(shape: type[Shape]) -> Shape:
    """Return what was sent. Raise BadWord naming the field."""
    try:
        written = msgspec.json.decode(request.get_data())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadWord("", "This is not JSON.") from None
    try:
        return msgspec.convert(written, shape)
    except msgspec.ValidationError as error:
        said = explained(str(error), written, shape)
        raise BadWord(said.split(" ", 1)[0], said[:200]) from None


def _say(body: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type="application/json")
