# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story's browser: it can do what a person can by hand on the page, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.system.visitor import PageProblem, Visitor

FORM = """<!doctype html><title>t</title><script>var hidden = "not words";</script><h1>New person</h1>
<form method="post" action="/people/new"><input type="hidden" name="csrf_token" value="secret">
<input name="name" value="Aino"><select name="language"><option value="fi" selected>suomi</option>
<option value="en">English</option></select><label><input type="checkbox" name="weekday" value="0" checked>Mon</label>
<input type="checkbox" name="weekday" value="1">
<textarea name="address">Katu 1</textarea><button>Save</button></form>"""


class _Site(BaseHTTPRequestHandler):
    """Shows the form, and after a post redirects to a page that says what was posted and whose cookie came along."""

    posted = ""

    def do_GET(self) -> None:
        known = "visitor=1" in (self.headers["Cookie"] or "")
        text = f"<p>{_Site.posted} known={known}" if self.path == "/done" else FORM
        self._reply(200 if self.path in ("/people/new", "/done") else 404, text)

    def do_POST(self) -> None:
        _Site.posted = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._reply(302, "", Location="/done")

    def _reply(self, status: int, text: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Set-Cookie": "visitor=1; Path=/; HttpOnly", "Content-Type": "text/html", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Visitor(f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
        thread.join()


def test_hidden_fields_and_what_stood_there_go_along(visitor: Visitor) -> None:
    """A post carries the CSRF token, the values that stood in untouched fields and the cookie, and ends where it is led."""
    page = visitor.post(visitor.see("/people/new"), "/people/new", name="Eino", weekday=["0", "1"])
    assert page.path == "/done"
    page.must_say("csrf_token=secret&name=Eino&language=fi&weekday=0&weekday=1&address=Katu+1", "known=True")


def test_what_the_page_does_not_offer_cannot_be_sent(visitor: Visitor) -> None:
    """A form, a field or a choice that the page does not show is an error that names it."""
    page = visitor.see("/people/new")
    with pytest.raises(PageProblem, match="no form to '/tags/new'"):
        visitor.post(page, "/tags/new")
    with pytest.raises(PageProblem, match="no field 'role'"):
        visitor.post(page, "/people/new", role="administrator")
    with pytest.raises(PageProblem, match="'language' offers"):
        visitor.post(page, "/people/new", language="sv")
    assert page.form("/people/new").choice("language", "English") == "en"


def test_a_page_is_quoted_when_it_is_not_as_it_must_be(visitor: Visitor) -> None:
    """A wrong status or a missing sentence is an error that quotes the page's words, without its scripts."""
    with pytest.raises(PageProblem, match="answered 404, not 200"):
        visitor.see("/nowhere")
    page = visitor.see("/people/new").must_say("New person")
    with pytest.raises(PageProblem, match="does not say 'not words'"):
        page.must_say("not words")
