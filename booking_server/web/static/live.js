// SPDX-License-Identifier: AGPL-3.0-or-later
// Keeps the parts of a page that are marked data-live="taps doors command" as they are at the server.
// One event stream per page (<body data-stream="...">). While it is silent or broken, the page says so and asks every five seconds.
// Without this file every page still works: a reload shows the same.
(function () {
  "use strict";
  const BEAT_LIMIT_MS = 40000, POLL_MS = 5000, RETRY_MS = 15000, SPREAD_MS = 150;
  const address = document.body.dataset.stream;
  if (!address || !window.htmx) return;
  const waiting = new Set();
  let stream = null, heardAt = 0, timer = 0;

  function refresh(kind) {
    waiting.add(kind);
    if (document.hidden || timer) return;
    timer = setTimeout(function () {
      timer = 0;
      document.querySelectorAll("[data-live]").forEach(function (part) {
        if (part.dataset.live.split(" ").some(function (one) { return waiting.has(one); })) window.htmx.trigger(part, "live");
      });
      waiting.clear();
    }, Math.random() * SPREAD_MS);
  }

  function refreshAll() { ["taps", "doors", "command"].forEach(refresh); }

  function show(connected) {
    const sign = document.getElementById("live-state");
    if (!sign || sign.dataset.connected === String(connected)) return;
    sign.dataset.connected = String(connected);
    sign.hidden = false;
    sign.querySelector(".dot").className = "dot " + (connected ? "good" : "care");
    sign.querySelector(".words").textContent = connected ? sign.dataset.on : sign.dataset.off;
  }

  function heard() { heardAt = Date.now(); show(true); }

  function open() {
    if (stream) stream.close();
    stream = new EventSource(address);
    stream.onopen = function () { heard(); refreshAll(); };
    stream.onerror = function () { setTimeout(look, 3000); };
    stream.addEventListener("beat", heard);
    ["taps", "doors", "command"].forEach(function (kind) {
      stream.addEventListener(kind, function () { heard(); refresh(kind); });
    });
  }

  function look() {
    if (stream && stream.readyState === EventSource.OPEN && Date.now() - heardAt < BEAT_LIMIT_MS) return;
    show(false);
    refreshAll();
  }

  function retry() {
    const silent = !stream || stream.readyState === EventSource.CLOSED || Date.now() - heardAt > BEAT_LIMIT_MS;
    if (silent && !document.hidden) open();
  }

  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) { retry(); refreshAll(); }
  });
  window.addEventListener("pagehide", function () { if (stream) stream.close(); });
  document.body.addEventListener("htmx:afterSwap", function (event) {
    const words = event.target.dataset && event.target.dataset.say, say = document.getElementById("live-say");
    if (words && say && say.textContent !== words) say.textContent = words;
  });
  open();
  setInterval(look, POLL_MS);
  setInterval(retry, RETRY_MS);
})();
