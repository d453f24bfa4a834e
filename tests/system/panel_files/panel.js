// The door panel of the demo: shows what the doors tell, sends what is clicked, and guesses nothing.
"use strict";

const at = (id) => document.getElementById(id);
const REASONS = {
  tag_unknown: "the keytag is not known here", tag_blocked: "the keytag is blocked", no_grant: "no access to this door",
  outside_hours: "not at this hour", no_booking: "no booking for now", member_suspended: "the membership is suspended",
  door_blocked: "the door is blocked", door_locked_down: "the door is locked down", snapshot_expired: "too long without the server",
  space_full: "the space is full", clock_untrusted: "the door does not know the time", journal_unwritable: "the door cannot write its journal",
};
const cards = new Map();
let saying = 0;

function say(text) {
  at("said").textContent = text;
  at("said").classList.add("shown");
  clearTimeout(saying);
  saying = setTimeout(() => at("said").classList.remove("shown"), 5000);
}

async function order(what) {
  try {
    const answer = await fetch("/do", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
    if (!answer.ok) say(await answer.text());
  } catch {
    say("The demo has been stopped.");
  }
}

function showKeytags(keytags) {
  if (at("keytags").childElementCount) return;
  for (const keytag of keytags) {
    const fob = at("keytag").content.cloneNode(true);
    fob.querySelector("input").value = keytag.id;
    fob.querySelector(".who").textContent = keytag.name;
    fob.querySelector(".digits").textContent = "…" + keytag.digits;
    at("keytags").append(fob);
  }
  at("keytags").querySelector("input").checked = true;
}

function makeDoor(door) {
  const card = at("door").content.cloneNode(true).querySelector(".door");
  const title = card.querySelector("h3");
  title.textContent = door.name;
  title.append(Object.assign(document.createElement("small"), { textContent: door.site }));
  const reader = card.querySelector(".reader");
  reader.setAttribute("aria-label", `Tap the chosen keytag at ${door.name}`);
  reader.addEventListener("click", async () => {
    reader.setAttribute("aria-busy", "true");
    await order({ do: "tap", door: door.id, keytag: document.querySelector("[name=keytag]:checked").value });
    reader.removeAttribute("aria-busy");
  });
  const leaf = () => order({ do: "leaf", door: door.id, open: !card.classList.contains("open") });
  card.querySelector(".frame").addEventListener("click", leaf);
  card.querySelector(".leaf-button").addEventListener("click", leaf);
  card.querySelector(".exit").addEventListener("click", () => order({ do: "exit", door: door.id }));
  const plug = card.querySelector(".plug");
  plug.addEventListener("click", () => order({ do: "plug", door: door.id, in: plug.getAttribute("aria-pressed") !== "true" }));
  at("doors").append(card);
  cards.set(door.id, card);
  return card;
}

function showDoor(door, { broker, reading }) {
  const card = cards.get(door.id) ?? makeDoor(door);
  for (const [name, on] of [["energised", door.relay], ["open", door.contact], ["granted", door.granted], ["refused", door.refused], ["offline", !door.plugged || !broker]])
    card.classList.toggle(name, on);
  showPin(card, "relay", door.relay, door.relay ? "on, unlocked" : "off, locked");
  showPin(card, "contact", door.contact, door.contact ? "open" : "closed");
  const push = door.contact ? "Close the leaf" : "Open the leaf";
  card.querySelector(".leaf-button").textContent = push;
  card.querySelector(".frame").setAttribute("aria-label", `${push} of ${door.name}`);
  card.querySelector(".plug").setAttribute("aria-pressed", String(door.plugged));
  card.querySelector(".plug .word").textContent = door.plugged ? "Network plug is in" : "Network plug is out";
  showLast(card.querySelector(".last"), door.last, reading);
}

function showPin(card, pin, on, text) {
  const row = card.querySelector(`[data-pin=${pin}]`);
  row.classList.toggle("on", on);
  row.querySelector("dd").textContent = text;
}

function showLast(line, last, reading) {
  line.className = "last" + (last ? (last.granted ? " granted" : " refused") : "");
  if (!last) return void (line.textContent = "Nobody has tapped yet.");
  const why = last.reason ? ": " + (REASONS[last.reason] ?? last.reason) : "";
  line.textContent = `${last.granted ? "Let in" : "Refused"} after ${last.milliseconds} ms${reading ? " (the card reader’s own time included)" : ""}${why}`;
  const word = last.by === "server" ? "by the server’s answer" : "by the door alone";
  const detail = Object.assign(document.createElement("span"), { textContent: last.arrived ? `${word}, stored in the ledger` : "kept in the door’s journal, not yet at the server" });
  detail.classList.toggle("waits", !last.arrived);
  line.append(detail);
}

function show(state) {
  const now = new Date(state.clock + "Z");
  at("clock").textContent = now.toLocaleString("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  at("clock").dateTime = state.clock;
  at("to-month-end").title = "To " + state.month_end.replace("T", " ");
  at("broker").setAttribute("aria-pressed", String(state.broker));
  at("broker").querySelector(".word").textContent = state.broker ? "Broker is running" : "Broker is cut";
  at("pages").href = state.pages;
  showKeytags(state.keytags);
  for (const door of state.doors) showDoor(door, state);
}

at("broker").addEventListener("click", () => order({ do: "broker", up: at("broker").getAttribute("aria-pressed") !== "true" }));
for (const button of document.querySelectorAll("[data-clock]")) button.addEventListener("click", () => order({ do: "clock", to: button.dataset.clock }));
const live = new EventSource("/live");
live.onmessage = (message) => show(JSON.parse(message.data));
live.onerror = () => say("The demo does not answer; it has probably been stopped.");
