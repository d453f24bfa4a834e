# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the Pi below the agent as it must be: kernel, pins, boot file, clock, disk, card, supply? Pure, of facts."""

from __future__ import annotations

from door_agent.doctor import boot
from door_agent.doctor.check import Check, good, one, to_do, unknown
from door_agent.doctor.facts import Facts
from door_agent.doctor.watching import worn
from door_agent.readers.settings import Pcsc

_TAKE_READERS = ("pn533_usb", "pn533", "nfc")
_NO_PI = "this is no Raspberry Pi"
_MOCK = "demo = true uses no pins"
_BATTERY_OFF_SECONDS = 60.0
_SETTINGS_FIRST = "the settings must be good first"


def kernel(facts: Facts) -> Check:
    """No driver of the kernel takes a reader away from pcscd."""
    if facts.config is not None and not any(isinstance(reader, Pcsc) for reader in facts.config.readers):
        return good("kernel", "no reader of this door is one that the kernel would take")
    if facts.modules is None:
        return unknown("kernel", "/proc/modules is not there")
    there = [name for name in _TAKE_READERS if name in facts.modules]
    if there:
        return to_do(
            "kernel",
            f"the kernel's NFC drivers ({', '.join(there)}) take readers away from pcscd: do this, then plug it in anew",
            (
                "sudo cp /usr/share/hubkey-door/hubkey-nfc.conf /etc/modprobe.d/",
                "sudo modprobe -r pn533_usb pn533 nfc",
            ),
        )
    return good("kernel", "no NFC driver in the way")


def pins(facts: Facts) -> Check:
    """The pins are there, and the agent's group may use them."""
    if facts.config is None:
        return unknown("pins", _SETTINGS_FIRST)
    if facts.config.demo:
        return unknown("pins", _MOCK)
    if not facts.chips:
        if facts.model is None:
            return unknown("pins", f"{_NO_PI}: there are no pins, and a real door does not start here")
        return to_do("pins", "the kernel shows no pins (/dev/gpiochip0): install Raspberry Pi OS's own kernel")
    if not facts.pin_library:
        return to_do("pins", "lgpio is not installed, and without it the agent does not start: sudo apt install python3-lgpio")
    troubles = [
        f"{chip} belongs to the group {group}, not gpio: sudo cp /usr/share/hubkey-door/60-hubkey-door.rules /etc/udev/rules.d,"
        " and restart the Pi"
        for chip, group in facts.chips.items()
        if group != "gpio"
    ]
    return one("pins", troubles, f"{', '.join(facts.chips)} for the group gpio")


def boot_pins(facts: Facts) -> Check:
    """All pins are at rest before Linux runs, nothing else takes them, and an agent that is killed lets go of them."""
    if facts.config is None:
        return unknown("boot pins", _SETTINGS_FIRST)
    if facts.config.demo:
        return unknown("boot pins", _MOCK)
    if facts.boot_file is None:
        if facts.model is None:
            return unknown("boot pins", f"{_NO_PI}: it has no config.txt")
        return to_do("boot pins", "/boot/firmware/config.txt cannot be read: mount the boot partition")
    needs = boot.needs(facts.config)
    lines = boot.to_add(boot.lacking(needs, facts.boot_lines))
    lets_go = boot.lets_go(facts.boot_lines)
    if not lets_go and facts.keeps_outputs is not False:
        lines.append(boot.LETS_GO)
    taken = [f"{line} takes GPIO {need.pin} ({need.setting})" for need, line in boot.taken(needs, facts.boot_lines)]
    said = [f"in {facts.boot_file} {'; '.join(taken)}: take that line out, or use another pin"] if taken else []
    if lets_go and facts.keeps_outputs:
        said.append("a killed agent would leave the relay as it is, in spite of dtparam=strict_gpiod: restart the Pi")
    if lines:
        said.append(f"append to {facts.boot_file} and restart the Pi")
        return to_do("boot pins", "; ".join(said), ("[all]", *lines))
    return one("boot pins", said, f"{facts.boot_file} holds all {len(needs)} pins of this door")


def clock(facts: Facts) -> Check:
    found = facts.clock
    at = f"{found.at:%Y-%m-%d %H:%M:%S}Z"
    if found.has_battery is None:
        battery = "; whether there is a battery clock is unknown"
    else:
        battery = (
            "; a battery clock is there"
            if found.has_battery
            else "; no battery clock: after a power cut it waits for the network"
        )
    if not found.synced:
        return to_do(
            "clock", f"{at}, and nothing keeps it in step: connect the network; `timedatectl` must say synchronized{battery}"
        )
    if found.battery_off_seconds is not None and found.battery_off_seconds > _BATTERY_OFF_SECONDS:
        return to_do("clock", f"{at}, and the battery clock is {found.battery_off_seconds:.0f} s off: sudo hwclock --systohc")
    since = f", a time server last heard at {found.synced_at:%Y-%m-%d %H:%M}Z" if found.synced_at else ""
    return good("clock", f"{at}, kept in step{since}{battery}")


def disk(facts: Facts) -> Check:
    if facts.config is None:
        return unknown("disk", _SETTINGS_FIRST)
    if facts.space is None:
        return unknown("disk", "the state folder is not there yet, or cannot be looked at")
    room = facts.space
    said = f"{room.free_bytes // 10**6} of {room.bytes // 10**6} MB free" + (f", {room.free_files} files" if room.files else "")
    troubles = []
    if room.read_only:
        troubles.append("the state folder's file system is read-only: sudo mount -o remount,rw it, or replace the card")
    if room.is_short():
        troubles.append(f"only {said}: free space (sudo apt clean; sudo journalctl --vacuum-size=50M)")
    return one("disk", troubles, said)


def card(facts: Facts) -> Check:
    if not facts.wear:
        return unknown("card", "this machine's disk does not tell its wear, as most SD cards do not")
    said = "; ".join(worn(wear) for wear in facts.wear)
    if any(wear.is_worn for wear in facts.wear):
        return to_do("card", f"{said}: replace the card before it fails")
    return good("card", said)


def supply(facts: Facts) -> Check:
    if facts.power is None:
        return unknown("supply", "this machine does not tell its voltage" if facts.model else f"{_NO_PI}: it tells no voltage")
    what = "the Pi's own supply and a short, thick cable; the lock must have a supply of its own"
    if facts.power.low_now:
        return to_do("supply", f"the voltage is too low now: use {what}")
    if facts.power.low_since_start:
        return to_do("supply", f"the voltage was too low at some time since the start: use {what}")
    return good("supply", "the voltage was never too low since the start")
