// Makes elements and tables; every text goes in as text, never as markup. Knows no endpoint.

import { count, exact, money } from "./format.js";

export const byId = (id) => document.getElementById(id);

export function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

export function say(target, text) {
  target.classList.remove("drawn");
  if (target.classList.contains("js-plotly-plot")) {
    window.Plotly.purge(target);
    target.removeAttribute("role");
    target.removeAttribute("aria-label");
  }
  target.replaceChildren(element("p", text, { class: "empty" }));
}

// columns: [title, row → text, whether it is a number, row → exact value shown on hovering]
export function table(target, caption, columns, rows) {
  const made = element("table");
  made.append(element("caption", caption));
  const head = made.createTHead().insertRow();
  for (const [title, , isNumber] of columns) head.append(element("th", title, { scope: "col", class: isNumber ? "number" : "" }));
  fill(made.createTBody(), columns, rows);
  target.replaceChildren(made);
  return made;
}

// Adds rows below those that are there.
export function fill(body, columns, rows) {
  for (const row of rows) {
    const line = body.insertRow();
    columns.forEach(([, text, isNumber, hint], place) => {
      const cell = element(place ? "td" : "th", text(row), { class: isNumber ? "number" : "" });
      if (!place) cell.scope = "row";
      if (hint) cell.title = hint(row);
      line.append(cell);
    });
  }
}

export const number = (title, key) => [title, (row) => count(row[key]), true];
export const amount = (title, key) => [title, (row) => money(row[key]), true, (row) => exact(row[key])];

// Presses the one button of a group whose data-… attribute has the value.
export function press(attribute, value) {
  for (const button of document.querySelectorAll(`[data-${attribute}]`)) {
    button.setAttribute("aria-pressed", String(button.dataset[attribute] === value));
  }
}
