# SPDX-License-Identifier: AGPL-3.0-or-later
"""What whoever watches over the hub is told by the real processes: figures and logs, and nothing of a person in either."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import booking_server.setting_up
from access_contract.vocabulary import DoorId, TagNumber, tag_hash
from booking_server.doors import service as doors
from tests.system import parts
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.one_door import AT
from tests.system.processes import free_port, wait_for
from tests.system.visitor import Visitor

KNOWN, STRANGER = TagNumber.parse("04782E21801D80"), TagNumber.parse("04D1E5A0C0FE80")
ACCOUNT, PASSWORD, WRONG = "salainen.tunnus@hallinto.example", "correct horse battery", "arvaus-joka-ei-osu-77"
NAME, EMAIL, STREET = "Tyyne Öhman-Kekkonen", "tyyne.ohman@koti.example", "Salakatu 771, 02999 Espoo"
MADE, MADE_EMAIL = "Kustaa Piilomäki", "kustaa.piilo@koti.example"
FORGED = 'nobody"}\n{"event": "security", "security": "signed_in", "forged": true}'
MONITORING = Path(booking_server.setting_up.__file__).parent / "files" / "monitoring"
PROCESSES = ("web", "doors", "mail")


@dataclass
class Watched:
    """A hub in use whose three processes tell their figures."""

    building: Building
    desk: Desk
    ports: dict[str, int]
    account: int = 0
    figures: dict[str, str] = field(default_factory=dict)

    def scrape(self, process: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.ports[process]}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def figure(self, process: str, name: str) -> float | None:
        """Return one figure, by its name and labels as they are told."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.scrape(process), re.MULTILINE)
        return None if found is None else float(found[1])

    def lines(self, process: str) -> list[dict[str, Any]]:
        log = self.building.folder / "logs" / f"{process}.log"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    """The hub after a morning: signed in and not, a person added, taps granted and refused, mail sent."""
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Building(at=AT, pulse_seconds=1.0) as building:
        ports = {process: free_port() for process in PROCESSES}
        told = ", ".join(f"{process} = {port}" for process, port in ports.items())
        own = f"metrics = {{ {told} }}\n"
        building.settings.write_text(building.settings.read_text(encoding="utf-8") + own, encoding="utf-8")
        building.command("init")
        building.command("account", "add", ACCOUNT, stdin=f"{PASSWORD}\n{PASSWORD}\n")
        hub = Watched(building, building.desk(), ports)
        space = hub.desk.space(hub.desk.site("Hub"), "Studio", "co-creation", capacity=5)
        hub.desk.door("front", "Front", leads_into=space)
        person = hub.desk.person(NAME, email=EMAIL, address=STREET)
        hub.desk.tag(person, KNOWN)
        hub.desk.grant(person, space, from_day=AT.date().replace(day=1))
        building.start_servers()
        building.start_mail()
        door = building.door("front", by_command=False)
        _use_pages(building.web_address)
        wait_for(lambda: hub.desk.online("front"), "the door is online", limit_seconds=20)
        for number in (KNOWN, STRANGER, KNOWN):
            before = len(hub.desk.taps())
            door.tap(number)
            wait_for(lambda before=before: len(hub.desk.taps()) > before, "the tap is stored", limit_seconds=20)  # type: ignore[misc]
        yield hub


def _use_pages(address: str) -> None:
    visitor = Visitor(address)
    for name in (ACCOUNT, FORGED):
        visitor.post(visitor.see("/sign-in"), "/sign-in", status=422, sign_in_name=name, password=WRONG)
    visitor.post(visitor.see("/sign-in"), "/sign-in", sign_in_name=ACCOUNT, password=PASSWORD)
    new = visitor.see("/people/new")
    page = visitor.post(new, "/people/new", language="en", name=MADE, email=MADE_EMAIL, address=STREET)
    assert MADE in page.words
    visitor.see("/people?find=Kustaa")
    visitor.see("/people/9999", status=404)


def _personal(hub: Watched) -> dict[str, str]:
    """Every spelling of everything personal that the processes met."""
    said = {
        word: word for word in (ACCOUNT, PASSWORD, WRONG, NAME, EMAIL, STREET, MADE, MADE_EMAIL, "forged", "Kustaa", "Tyyne")
    }
    said |= {json.dumps(word)[1:-1]: word for word in (NAME, MADE)}
    with hub.desk.database.read() as tx:
        key = doors.tag_keys(tx, hub.desk.keys.vault)[DoorId("front")]
    for number in (KNOWN, STRANGER):
        digits = number.uid.hex()
        spelled = {
            digits,
            digits.upper(),
            ":".join(f"{byte:02x}" for byte in number.uid),
            " ".join(f"{byte:02X}" for byte in number.uid),
        }
        spelled |= {base64.b64encode(number.uid).decode().rstrip("="), str(int.from_bytes(number.uid))}
        spelled |= {str(tag_hash(key, number)), hub.desk.keys.vault.index(number)}
        said |= dict.fromkeys(spelled, f"the number {digits}")
    return said


def test_no_log_holds_anything_of_a_person(watched: Watched) -> None:
    """No name, mail address, sign-in name, password, tag number or tag hash is in what any process of the hub wrote."""
    logs = sorted((watched.building.folder / "logs").glob("*.log"))
    assert {log.stem for log in logs} >= {*PROCESSES, "broker"}
    for log in logs:
        text = log.read_text(encoding="utf-8")
        assert [what for spelled, what in _personal(watched).items() if spelled in text] == [], log.name


def test_no_figure_holds_anything_of_a_person(watched: Watched) -> None:
    """Nor does any label or help text of the figures."""
    for process in PROCESSES:
        text = watched.scrape(process)
        assert [what for spelled, what in _personal(watched).items() if spelled in text] == [], process


def test_every_line_is_an_object_and_none_is_forged(watched: Watched) -> None:
    """Whatever is typed, each line of a log is one JSON object that the process itself wrote, with its instant and level."""
    for process in PROCESSES:
        lines = watched.lines(process)
        assert lines, process
        assert all({"event", "level", "timestamp"} <= line.keys() for line in lines), process
        assert not any("forged" in line for line in lines)


def test_what_concerns_safety_is_logged_without_names(watched: Watched) -> None:
    """A refused sign-in and one that went well stand in the log with network and, where it is known, the account's number."""
    said = [line for line in watched.lines("web") if line["event"] == "security"]
    assert [line["security"] for line in said] == ["sign_in_failed", "sign_in_failed", "signed_in"]
    assert all(line["network"] == "127.0.0.0/24" for line in said)
    assert [isinstance(line["account"], int) for line in said] == [True, False, True]
    assert said[0]["account"] == said[2]["account"]


def test_changes_are_logged_by_the_page_s_name(watched: Watched) -> None:
    """A form that was sent and a page that was not found are lines, with the page's name and no address; a look is none."""
    answered = [
        (line["method"], line["endpoint"], line["status"]) for line in watched.lines("web") if line["event"] == "answered"
    ]
    assert ("POST", "people.add", 303) in answered
    assert any(method == "GET" and status == 404 for method, _, status in answered)
    assert not any(method == "GET" and status < 400 for method, _, status in answered)
    assert "/people" not in json.dumps(answered)


def test_figures_tell_of_taps_doors_pages_mail_and_machine(watched: Watched) -> None:
    """Taps by answer and time, the door that is there, what arrived, sign-ins, requests, mail, disks, backup, certificates."""
    assert watched.figure("doors", 'hubkey_asks_total{answer="granted"}') == 2
    assert watched.figure("doors", 'hubkey_asks_total{answer="tag_unknown"}') == 1
    assert watched.figure("doors", "hubkey_ask_seconds_count") == 3
    assert watched.figure("doors", 'hubkey_door_online{door="front"}') == 1
    assert (watched.figure("doors", "hubkey_events_total") or 0) >= 3
    assert watched.figure("doors", "hubkey_broker_connected") == 1
    assert watched.figure("doors", "hubkey_rights_changes_unknown") == 0
    assert watched.figure("doors", "hubkey_disagreements_total") == 0
    assert watched.figure("doors", "hubkey_backup_age_seconds") == float("inf")
    assert (watched.figure("doors", 'hubkey_disk_free_bytes{what="state_folder"}') or 0) > 0
    assert (watched.figure("doors", 'hubkey_certificate_days_left{kind="own",name="broker"}') or 0) > 365
    assert watched.figure("doors", 'hubkey_certificate_days_left{kind="door",name="front"}') is not None
    assert watched.figure("web", 'hubkey_requests_total{endpoint="people.add",status="303"}') == 1
    assert watched.figure("web", 'hubkey_security_events_total{what="sign_in_failed"}') == 2
    assert watched.figure("web", "hubkey_streams_open") == 0
    assert watched.figure("mail", "hubkey_mail_trouble_seconds") == 0
    wait_for(lambda: watched.figure("mail", "hubkey_mail_waiting") == 0, "the outbox is empty")


def test_dashboard_and_alerts_name_only_figures_that_are_told(watched: Watched) -> None:
    """Every figure in the dashboard and in the alert rules is told by the processes that run."""
    told = {"up"}
    for process in PROCESSES:
        told |= set(re.findall(r"^# TYPE (\S+)", watched.scrape(process), re.MULTILINE))
    told |= {f"{name}_bucket" for name in told}
    named: dict[str, set[str]] = {}
    for file in ("dashboard.json", "alerts.yml"):
        text = "\n".join(_expressions(file))
        named[file] = set(re.findall(r"\b((?:hubkey|process)_[a-z_]+)", text.replace("hubkey-", "")))
        assert named[file] - told == set(), file
        assert len(named[file]) > 15, file
    own = {name for name in told if name.startswith("hubkey_") and not name.endswith(("_bucket", "_created"))}
    unseen = {name for name in own if not any({name, f"{name}_bucket"} & found for found in named.values())}
    assert unseen == {"hubkey_build"}, "figures that nobody is shown"


def _expressions(file: str) -> list[str]:
    text = (MONITORING / file).read_text(encoding="utf-8")
    if file.endswith(".yml"):
        return re.findall(r"^\s+expr: (.+)$", text, re.MULTILINE)
    return [target["expr"] for panel in json.loads(text)["panels"] for target in panel.get("targets", [])]


def test_every_alert_says_what_to_do() -> None:
    """Each alert has a summary, a severity and a description of some length; where Prometheus is here, it takes the rules."""
    text = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    alerts = text.split("- alert: ")[1:]
    assert len(alerts) > 15
    for alert in alerts:
        name = alert.splitlines()[0]
        assert re.search(r"severity: (page|ticket)", alert), name
        assert re.search(r"summary: .{15,}", alert), name
        description = re.search(r"description: >-\n((?: {12,}.+\n?)+)", alert)
        assert description is not None, name
        assert len(description[1]) > 60, name
    promtool = shutil.which("promtool", path=parts.search_path())
    if promtool is not None:
        done = subprocess.run(
            [promtool, "check", "rules", MONITORING / "alerts.yml"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_figures_are_told_to_this_machine_alone(watched: Watched) -> None:
    """The ports of the figures are open on the loopback address only."""
    for port in watched.ports.values():
        shown = subprocess.run(["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
        assert [line.split()[3] for line in shown.splitlines()] == [f"127.0.0.1:{port}"]
