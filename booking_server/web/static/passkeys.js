// SPDX-License-Identifier: AGPL-3.0-or-later
// Lets a form marked data-passkey="sign_in", "confirm" or "register" be answered by a passkey: asks the server what to sign,
// the browser for the answer, puts that into the form and sends it. Where the browser has no passkeys the form stays hidden.
// A field marked autocomplete="... webauthn" offers passkeys by itself; whatever fails there stays silent.
(function () {
  "use strict";
  const able = window.isSecureContext && window.PublicKeyCredential && navigator.credentials;
  let offering = null;

  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (one) { return one.charCodeAt(0); });
  }

  function text(buffer) {
    if (!buffer) return undefined;
    const plain = Array.from(new Uint8Array(buffer), function (one) { return String.fromCharCode(one); }).join("");
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function decoded(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    (options.allowCredentials || []).concat(options.excludeCredentials || []).forEach(function (one) { one.id = bytes(one.id); });
    return options;
  }

  function encoded(made) {
    const said = made.response, response = { clientDataJSON: text(said.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (said[name]) response[name] = text(said[name]);
    });
    if (said.getTransports) response.transports = said.getTransports();
    return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response: response });
  }

  async function ask(form) {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value, purpose: form.dataset.passkey });
    const answer = await fetch("/passkeys/asking", { method: "POST", body: body, credentials: "same-origin" });
    const said = answer.headers.get("Content-Type") === "application/json" ? await answer.json() : {};
    if (said.go) location.assign(said.go);
    if (!answer.ok) throw new Error("not asked");
    return said;
  }

  async function answer(form, more) {
    const said = await ask(form), publicKey = decoded(said.options);
    const made = form.dataset.passkey === "register"
      ? await navigator.credentials.create({ publicKey: publicKey })
      : await navigator.credentials.get(Object.assign({ publicKey: publicKey }, more));
    form.elements.answer.value = encoded(made);
    form.elements.sealed.value = said.sealed;
    form.submit();
  }

  function show(form, name) {
    const place = form.querySelector("[role=alert]");
    place.textContent = name === "InvalidStateError" ? place.dataset.known : place.dataset.failed;
    place.hidden = false;
    form.querySelector("button").disabled = false;
  }

  function sent(event) {
    const form = event.target;
    event.preventDefault();
    if (offering) offering.abort();
    form.querySelector("button").disabled = true;
    answer(form, {}).catch(function (problem) { show(form, problem.name); });
  }

  async function offer(form) {
    const can = PublicKeyCredential.isConditionalMediationAvailable;
    if (!document.querySelector("input[autocomplete~=webauthn]") || !can || !(await can.call(PublicKeyCredential))) return;
    offering = new AbortController();
    answer(form, { mediation: "conditional", signal: offering.signal }).catch(function () {});
  }

  document.querySelectorAll("form[data-passkey]").forEach(function (form) {
    if (!able) return;
    form.hidden = false;
    form.addEventListener("submit", sent);
    if (form.dataset.passkey === "sign_in") offer(form);
  });
})();
