# SPDX-License-Identifier: AGPL-3.0-or-later
"""A browser without JavaScript: it keeps cookies, follows redirects, and posts only forms and fields that a page really shows.

What a person could not do by hand on the page, it cannot do either: a missing form or field is an error, hidden fields
(the CSRF token) go along by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

Value = str | bool | Sequence[str]


class PageProblem(AssertionError):
    """A page was not as it must be; the message quotes it."""


@dataclass(slots=True)
class Form:
    """A form as shown: where it goes, what stands in its fields, and what each choice offers."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    button: tuple[str, str] | None = None

    def fill(self, **filled: Value) -> list[tuple[str, str]]:
        """Return what a browser would send. Raise PageProblem for a field that is not there, or a value not offered."""
        values = dict(self.values)
        for name, value in filled.items():
            self._check(name, value)
            values[name] = _as_list(value)
        pairs = [(name, one) for name, several in values.items() for one in several]
        return [*pairs, *([self.button] if self.button else [])]

    def _check(self, name: str, value: Value) -> None:
        if name not in self.values:
            raise PageProblem(f"the form {self.action} has no field {name!r}; it has {', '.join(self.values)}")
        offered = [choice for choice, _ in self.choices.get(name, [])]
        if isinstance(value, str) and offered and value not in offered:
            raise PageProblem(f"{name!r} offers {offered}, not {value!r}")

    def choice(self, name: str, label: str) -> str:
        """Return the value of the choice in `name` whose label contains `label`."""
        for value, shown in self.choices.get(name, []):
            if label in shown:
                return value
        raise PageProblem(f"{name!r} of {self.action} offers no {label!r}: {self.choices.get(name)}")


def _as_list(value: Value) -> list[str]:
    if isinstance(value, bool):
        return ["1"] if value else []
    return [value] if isinstance(value, str) else list(value)


class _Reader(HTMLParser):
    """Collects the forms, the links and the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._option: tuple[str, str] | None = None
        self._textarea: str | None = None
        self._link: tuple[str, str] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag in ("script", "style"):
            self._silent += 1
        elif tag == "form":
            self._form = Form(own.get("action", ""), own.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a":
            self._link = (own.get("href", ""), "")
        elif self._form is not None:
            self._field(tag, own, self._form)

    def _field(self, tag: str, own: dict[str, str], form: Form) -> None:
        name = own.get("name", "")
        if tag == "input" and name:
            self._input(name, own, form)
        elif tag == "select" and name:
            self._select = name
            form.values[name] = []
            form.choices[name] = []
        elif tag == "option" and self._select:
            self._option = (own.get("value", ""), "")
            if "selected" in own or not form.values[self._select]:
                form.values[self._select] = [own.get("value", "")]
        elif tag == "textarea" and name:
            self._textarea = name
            form.values[name] = [""]
        elif tag == "button" and name:
            form.button = (name, own.get("value", ""))

    def _input(self, name: str, own: dict[str, str], form: Form) -> None:
        kind = own.get("type", "text")
        if kind in ("checkbox", "radio"):
            form.choices.setdefault(name, []).append((own.get("value", "on"), ""))
            form.values.setdefault(name, [])
            if "checked" in own:
                form.values[name].append(own.get("value", "on"))
        elif kind != "submit":
            form.values.setdefault(name, []).append(own.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._silent -= 1
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "option":
            self._end_option()
        elif tag == "textarea":
            self._textarea = None
        elif tag == "a" and self._link:
            self.links.append(self._link)
            self._link = None

    def _end_option(self) -> None:
        if self._form is not None and self._select and self._option:
            self._form.choices[self._select].append(self._option)
        self._option = None

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._option:
            self._option = (self._option[0], self._option[1] + data.strip())
        if self._textarea and self._form is not None:
            self._form.values[self._textarea] = [data]
        if self._link:
            self._link = (self._link[0], (self._link[1] + " " + data.strip()).strip())
        self.words.extend(data.split())


@dataclass(frozen=True, slots=True)
class Page:
    """What came back: where we ended up, its status, and its content."""

    url: str
    status: int
    content: bytes
    kind: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def words(self) -> str:
        """The visible text, on one line."""
        return " ".join(self._read().words)

    @property
    def links(self) -> list[tuple[str, str]]:
        return self._read().links

    def forms(self) -> Iterator[Form]:
        yield from self._read().forms

    def form(self, ends: str) -> Form:
        """Return the form whose action's path ends with `ends` (an empty action is the page itself)."""
        for form in self.forms():
            if form.method == "post" and urlsplit(urljoin(self.url, form.action)).path.endswith(ends):
                return form
        raise PageProblem(f"{self.path} ({self.status}) shows no form to {ends!r}: {self.words[:600]}")

    def must_say(self, *texts: str) -> Page:
        """Return this page. Raise PageProblem unless it says each of `texts`."""
        for text in texts:
            if text not in self.words:
                raise PageProblem(f"{self.path} ({self.status}) does not say {text!r}: {self.words[:1200]}")
        return self

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.content.decode("utf-8", errors="replace"))
        return reader


class Visitor:
    """One person at one browser."""

    def __init__(self, address: str) -> None:
        """`address` is where the pages are, such as http://127.0.0.1:8080. `headers` go along with each page that is seen."""
        self.address = address
        self.headers: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()), ProxyHandler({}))

    def sign_in(self, name: str, password: str) -> Page:
        """Sign in and return where that leads; from now on, whoever is asked again who they are says so and goes on."""
        self._known = {"sign_in_name": name, "password": password}
        return self._say_who(self.see("/sign-in"))

    def forgets(self) -> None:
        """Do not say any more who it is when asked: what is asked is the question."""
        self._known = {}

    def see(self, path: str, *, status: int = 200) -> Page:
        """Return the page at `path`. Raise PageProblem if its status is another."""
        page = self._open(Request(urljoin(self.address, path), headers=self.headers))  # noqa: S310
        return _checked(self._say_who(page) if self._is_asked(page, path) else page, status)

    def post(self, page: Page, ends: str, *, status: int = 200, **filled: Value) -> Page:
        """Fill in and send the form on `page` whose action ends with `ends`; return where that leads."""
        led = self._send(page, ends, **filled)
        if self._is_asked(led, urlsplit(page.url).path):  # nothing was done: say who it is, and do it again from the page
            self._say_who(led)
            led = self._send(self.see(page.url.removeprefix(self.address)), ends, **filled)
        return _checked(led, status)

    def _is_asked(self, page: Page, wanted: str) -> bool:
        """True if a page asks who sits there, of somebody who can say so and wanted another."""
        return bool(self._known) and page.path in ("/sign-in", "/confirm") and urlsplit(wanted).path != page.path

    def _say_who(self, page: Page) -> Page:
        wanted = ("sign_in_name", "password") if page.path == "/sign-in" else ("password",)
        return _checked(self._send(page, page.path, **{name: self._known[name] for name in wanted}), 200)

    def _send(self, page: Page, ends: str, **filled: Value) -> Page:
        form = page.form(ends)
        content = urlencode(form.fill(**filled)).encode("ascii")
        headers = {"Origin": self.address, "Referer": page.url}
        return self._open(Request(urljoin(page.url, form.action), content, headers))  # noqa: S310

    def _open(self, request: Request) -> Page:
        try:
            with self._opener.open(request, timeout=20) as answer:
                return Page(answer.url, answer.status, answer.read(), answer.headers.get_content_type())
        except HTTPError as answer:
            with answer:
                return Page(answer.url, answer.code, answer.read(), answer.headers.get_content_type())
        except URLError as error:
            raise PageProblem(f"{request.full_url} cannot be reached: {error.reason}") from None


def _checked(page: Page, status: int) -> Page:
    if page.status != status:
        raise PageProblem(f"{page.path} answered {page.status}, not {status}: {page.words[:1200]}")
    return page
