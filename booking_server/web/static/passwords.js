// SPDX-License-Identifier: AGPL-3.0-or-later
// A button beside each password that shows what was typed, and hides it again before the form is sent. Without this script the
// fields work as they are.
"use strict";

for (const field of document.querySelectorAll("input[type=password][data-show]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.setAttribute("aria-controls", field.id);
  const set = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? field.dataset.hide : field.dataset.show;
    button.setAttribute("aria-pressed", String(shown));
  };
  button.addEventListener("click", () => set(field.type === "password"));
  field.form.addEventListener("submit", () => set(false));
  set(false);
  field.after(button);
}
