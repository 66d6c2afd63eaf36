// Draws charts with Plotly; knows no endpoint.

import { height, money, symbol } from "./format.js";

const ACCENT = "#1f4e5f";
const SECOND = "#e09f3e";
const PALE = "#f6e3c5";
const LONGEST_LABEL = 24;
const CONFIG = { responsive: true, displayModeBar: false };
const LAYOUT = {
  font: { family: "system-ui, sans-serif", size: 12, color: "#16242b" },
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  hoverlabel: { align: "left" },
  dragmode: false,
};

export function revenueChart(element, rows) {
  const x = rows.map((row) => row.period_start);
  const line = (name, key, color, width) => ({
    type: "scatter",
    mode: rows.length > 1 ? "lines" : "markers",
    name,
    x,
    y: rows.map((row) => height(row[key])),
    text: rows.map((row) => `${row.period}<br>${name} ${money(row[key])}`),
    hovertemplate: "%{text}<extra></extra>",
    line: { color, width },
  });
  draw(element, [line("Sales revenue", "sales_revenue", SECOND, 1.4), line("Net", "net", ACCENT, 2)], {
    margin: { l: 58, r: 8, t: 30, b: 34 },
    legend: { orientation: "h", x: 0, y: 1.12 },
    xaxis: { type: "date", gridcolor: "#eef2f3", fixedrange: true },
    yaxis: { tickprefix: symbol(rows[0].net.currency), gridcolor: "#e4eaec", rangemode: "tozero", fixedrange: true },
  });
}

// A bar of sales per month, pale where the data do not cover the month, and a line of net.
export function trendChart(element, rows) {
  const x = rows.map((row) => `${row.month}-01`);
  const common = (name, key) => ({
    name,
    x,
    y: rows.map((row) => height(row[key])),
    text: rows.map((row) => `${row.month}${row.complete ? "" : ", not the whole month"}<br>${name} ${money(row[key])}`),
    hovertemplate: "%{text}<extra></extra>",
    textposition: "none",
  });
  const bars = {
    ...common("Sales revenue", "sales_revenue"),
    type: "bar",
    marker: { color: rows.map((row) => (row.complete ? SECOND : PALE)), line: { color: SECOND, width: 1 } },
  };
  const line = {
    ...common("Net", "net"),
    type: "scatter",
    mode: "lines+markers",
    line: { color: ACCENT, width: 2 },
    marker: { color: rows.map((row) => (row.complete ? ACCENT : "#ffffff")), line: { color: ACCENT, width: 1.5 }, size: 7 },
  };
  draw(element, [bars, line], {
    margin: { l: 58, r: 8, t: 30, b: 34 },
    legend: { orientation: "h", x: 0, y: 1.12 },
    xaxis: { type: "date", tickformat: "%b\n%Y", fixedrange: true, ...(rows.length < 5 && { tickvals: x }) },
    yaxis: { tickprefix: symbol(rows[0].net.currency), gridcolor: "#e4eaec", rangemode: "tozero", fixedrange: true },
    bargap: 0.3,
  });
}

// One bar per row, the largest on top: rows of {label, value (number), text}.
export function barChart(element, rows) {
  const shown = [...rows].reverse();
  const values = shown.map((row) => row.value);
  const least = Math.min(0, ...values);
  const most = Math.max(0, ...values);
  const labels = shown.map((row) => (row.label.length > LONGEST_LABEL ? `${row.label.slice(0, LONGEST_LABEL)}…` : row.label));
  const trace = {
    type: "bar",
    orientation: "h",
    x: values,
    // A place of its own for each bar, since shortened labels can be equal.
    y: shown.map((_, place) => place),
    text: shown.map((row) => row.text),
    textposition: "auto",
    hovertext: shown.map((row) => `${escapeMarkup(row.label)}<br>${row.text}`),
    hoverinfo: "text",
    marker: { color: ACCENT },
    cliponaxis: false,
  };
  draw(element, [trace], {
    margin: { l: 8, r: 16, t: 8, b: 28 },
    // Room for the text behind a short bar, which Plotly would cut off.
    xaxis: { gridcolor: "#e4eaec", fixedrange: true, nticks: element.clientWidth < 500 ? 3 : 5, range: [least, most + (most - least) * 0.2] },
    yaxis: {
      tickmode: "array",
      tickvals: shown.map((_, place) => place),
      ticktext: labels.map(escapeMarkup),
      ticklabelstandoff: 6,
      automargin: true,
      fixedrange: true,
    },
    bargap: 0.3,
  });
}

function draw(element, traces, layout) {
  element.classList.add("drawn");
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", element.dataset.label);
  window.Plotly.react(element, traces, { ...LAYOUT, ...layout }, CONFIG);
}

// Plotly reads a little markup in its texts, and descriptions come from the source's files.
function escapeMarkup(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
