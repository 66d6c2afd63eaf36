// Draws a table whose cells are coloured by a share; knows no endpoint.

import { element } from "./tables.js";

const LOW = [237, 244, 246];
const HIGH = [24, 72, 90];

// head: [text, …]; rows: [{ head: [text, …], cells: [{ text, hint, share (0 to 1, of the darkest), marked }, …] }, …]
export function heatmap(target, caption, head, rows) {
  const made = element("table", undefined, { class: "heat" });
  made.append(element("caption", caption));
  const top = made.createTHead().insertRow();
  const longest = Math.max(...rows.map((row) => row.cells.length));
  const titles = [...head, ...Array.from({ length: longest }, (_, place) => String(place))];
  for (const title of titles) top.append(element("th", title, { scope: "col" }));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.head.forEach((text, place) => line.append(element(place ? "td" : "th", text, place ? {} : { scope: "row" })));
    for (const cell of row.cells) line.append(heated(cell));
    // Months that have not come yet: no cells without a meaning for who hears the table.
    if (row.cells.length < longest) line.append(element("td", undefined, { colspan: longest - row.cells.length }));
  }
  target.replaceChildren(made);
}

export function gradient() {
  return `linear-gradient(to right, ${css(LOW)}, ${css(HIGH)})`;
}

function heated({ text, hint, share, marked }) {
  const cell = element("td", text, { class: marked ? "heated marked" : "heated", title: hint });
  const color = LOW.map((low, place) => Math.round(low + (HIGH[place] - low) * Math.min(1, share)));
  cell.style.backgroundColor = css(color);
  // The darker or lighter of the two always has a contrast of 4.5 and more.
  cell.style.color = luminance(color) > 0.179 ? "#000" : "#fff";
  return cell;
}

function css(color) {
  return `rgb(${color.join(" ")})`;
}

// Relative luminance as WCAG defines it.
function luminance(color) {
  const [red, green, blue] = color.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
