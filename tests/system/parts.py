"""Where the system's own parts are on this machine: broker, card daemon, database, browser, web server.

One place decides it for every test, the benchmarks and the demo: the PATH first, then /usr/sbin, then `.parts/bin`, where
`make` unpacks what could not be installed. It only looks: it starts nothing, installs nothing, and never raises for a
part that is missing. A caller that gets None skips with `missing(...)` as the reason, or falls back and says so.
"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
UNPACKED = Path(os.environ.get("HUBKEY_PARTS") or CHECKOUT / ".parts")

_DRIVERS = (Path("/usr/lib/pcsc/drivers/serial"), UNPACKED / "usr/lib/pcsc/drivers/serial")
_CLUSTERS = (Path("/usr/lib/postgresql"), Path("/usr/local/pgsql"))


def search_path() -> str:
    """The PATH to look programs up with: the caller's own, then the system's, then what was unpacked beside the checkout."""
    own = os.environ.get("PATH", os.defpath).split(os.pathsep)
    extra = ["/usr/local/sbin", "/usr/sbin", "/sbin", str(UNPACKED / "bin")]
    return os.pathsep.join([*own, *(folder for folder in extra if folder not in own)])


def environment() -> dict[str, str]:
    """The environment to start a part or a program of ours in: the caller's own, with `search_path()` as its PATH.

    Unpacked parts need nothing more: `.parts/bin/<name>` sets its own library path and becomes the program (same pid).
    """
    return {**os.environ, "PATH": search_path()}


def mosquitto() -> Path | None:
    """The MQTT broker, installed or unpacked."""
    return _program("mosquitto")


def caddy() -> Path | None:
    """The web server that gets certificates, installed or unpacked."""
    return _program("caddy")


def pcscd() -> Path | None:
    """The PC/SC daemon."""
    return _program("pcscd")


def vpcd_driver() -> Path | None:
    """The driver file of the virtual card reader (a reader entry's LIBPATH; copy it once per further reader)."""
    files = (file for folder in _DRIVERS for file in folder.glob("libifdvpcd.so*") if file.is_file())
    return next(iter(sorted(files)), None)


def pyscard() -> bool:
    """Whether this Python can speak PC/SC. It is built, not downloaded, so it may be missing where all else is there."""
    return find_spec("smartcard") is not None


def postgres_bin() -> Path | None:
    """The folder with `initdb`, `pg_ctl` and `postgres`, newest release first."""
    installed = (home / "bin" for base in _CLUSTERS for home in sorted(base.glob("*"), key=_release, reverse=True))
    on_path = shutil.which("initdb", path=search_path())
    known = [*installed, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in known if (folder / "initdb").is_file() and (folder / "pg_ctl").is_file()), None)


def chromium() -> Path | None:
    """The browser that the page tests drive."""
    return _program("chromium") or _program("chromium-browser")


def missing(part: str) -> str:
    """The reason to give when a test is skipped for want of `part`, with what to do about it."""
    return f"{part} is not on this machine; run `make parts` as root or with sudo to install it"


def _program(name: str) -> Path | None:
    found = shutil.which(name, path=search_path())
    return Path(found) if found else None


def _release(home: Path) -> float:
    return float(home.name) if home.name.replace(".", "", 1).isdigit() else 0.0
