// Shows segments, months, cohorts and pairs of products, as the API's marts give them.

import { ask } from "./api.js";
import { barChart, trendChart } from "./charts.js";
import { change, count, day, exact, height, percent, rounded, wholeMoney } from "./format.js";
import { gradient, heatmap } from "./heatmap.js";
import { amount, byId, fill, number, press, say, table } from "./tables.js";

const MART = "/api/v1/datamart";
const NO_DATA = "No data yet. Load sales with the command retail ingest, then retail run, and reload this page.";
const PARTLY = " *\u00a0The data do not cover the whole month.";
const PAIRS = 20;

const share = (title, key, digits = 1) => [title, (row) => percent(row[key], digits), true, (row) => row[key] ?? ""];
const decimal = (title, key, digits) => [title, (row) => rounded(row[key], digits), true, (row) => row[key]];
const changeOf = (title, figure, base) => [title, (row) => change(row[figure][base]), true, (row) => row[figure][base] ?? "no base"];

export async function showSegments() {
  const { body, version } = await ask(`${MART}/segments`);
  if (!body.data.length) return empty("segments", "chart");
  stamp("segments", version, ` As of ${day(body.as_of)}.`);
  barChart(byId("segments-chart"), body.data.map((row) => ({
    label: row.segment,
    value: height(row.revenue),
    text: percent(row.share_of_revenue, 1),
  })));
  const segment = ["Segment", (row) => row.segment, false, (row) => row.description ?? ""];
  const columns = [segment, number("Customers", "customers"), share("Share", "share_of_customers"), amount("Revenue", "revenue"), share("Share", "share_of_revenue"), decimal("Days since", "average_recency_days", 1), decimal("Orders", "average_frequency", 1), amount("Spent", "average_monetary")];
  table(byId("segments-table"), "Segments", columns, body.data);
}

export async function showTrends() {
  const { body, version } = await ask(`${MART}/trends`);
  if (!body.data.length) return empty("trends", "chart");
  stamp("trends", version, body.data.every((row) => row.complete) ? "" : PARTLY);
  trendChart(byId("trends-chart"), body.data);
  const columns = [
    ["Month", (row) => (row.complete ? row.month : `${row.month} *`)],
    amount("Sales revenue", "sales_revenue"),
    changeOf("On month", "sales_revenue_change", "on_previous_month"),
    changeOf("On year", "sales_revenue_change", "on_previous_year"),
    amount("Net", "net"),
    changeOf("On month", "net_change", "on_previous_month"),
    changeOf("On year", "net_change", "on_previous_year"),
    number("Units", "units"),
    number("Lines", "lines"),
    number("Customers", "active_customers"),
  ];
  table(byId("trends-table"), "Months", columns, body.data);
}

let cohorts = null;

export async function showCohorts() {
  const { body, version } = await ask(`${MART}/cohorts`);
  if (!body.data.length) return empty("cohorts");
  cohorts = body.data;
  stamp("cohorts", version, cohorts.every((cohort) => cohort.months.every((month) => month.complete)) ? "" : PARTLY);
  drawCohorts("retention");
}

const CELLS = {
  retention: (month) => percent(month.retention, 0),
  customers: (month) => count(month.active_customers),
  revenue: (month) => wholeMoney(month.revenue),
};

function drawCohorts(shown) {
  press("cell", shown);
  // The first month is always 100 %: it would leave no colour to the others.
  const later = cohorts.flatMap((cohort) => cohort.months.slice(1).map((month) => Number(month.retention)));
  const darkest = Math.max(0, ...later) || 1;
  const rows = cohorts.map((cohort) => ({
    head: [cohort.cohort, count(cohort.size)],
    cells: cohort.months.map((month) => ({
      text: CELLS[shown](month) + (month.complete ? "" : " *"),
      hint: `${cohort.cohort} in ${month.month}: ${count(month.active_customers)} of ${count(cohort.size)} customers, ${exact(month.revenue)}, ${exact(month.cumulative_revenue)} so far`,
      share: Number(month.retention) / darkest,
      marked: !month.complete,
    })),
  }));
  heatmap(byId("cohorts-table"), "Months since the first purchase", ["Cohort", "Size"], rows);
  byId("cohorts-scale").style.backgroundImage = gradient();
  byId("cohorts-most").textContent = percent(String(darkest), 0);
  byId("cohorts-legend").hidden = false;
}

let asked = "";

const product = (side) => (row) => `${row[`description_${side}`] ?? "–"} (${row[`code_${side}`]})`;
const pairColumns = [
  ["Product A", product("a")],
  ["Product B", product("b")],
  number("Together", "pair_count"),
  decimal("Lift", "lift", 2),
  share("Support", "support", 2),
  decimal("Leverage", "leverage", 4),
  share("A → B", "confidence_a_to_b"),
  share("B → A", "confidence_b_to_a"),
];

export async function showBaskets(sort) {
  asked = sort;
  const path = `${MART}/baskets?sort=${sort}&limit=${PAIRS}`;
  const { body, version } = await ask(path);
  if (asked !== sort) return; // another order was chosen in the meantime
  press("sort", sort);
  if (!body.data.length) {
    const none = version > 0 ? "No two products are bought together often enough." : NO_DATA;
    say(byId("baskets-table"), none);
    return;
  }
  stamp("baskets", version, ` ${count(body.data[0].total_count)} invoices count.`);
  const made = table(byId("baskets-table"), "Pairs of products", pairColumns, body.data);
  const place = pairColumns.findIndex(([title]) => title.toLowerCase() === sort);
  made.tHead.rows[0].cells[place].setAttribute("aria-sort", "descending");
  offerMore(path, body.next_cursor, made.tBodies[0], version);
}

function offerMore(path, cursor, rows, version) {
  const button = byId("baskets-more");
  button.hidden = !cursor;
  button.onclick = () => addPairs(path, cursor, rows, version).catch(onLateFault);
}

async function addPairs(path, cursor, rows, version) {
  const next = await ask(`${path}&cursor=${encodeURIComponent(cursor)}`);
  if (!rows.isConnected) return; // another order was chosen in the meantime
  if (next.version === version) {
    fill(rows, pairColumns, next.body.data);
    offerMore(path, next.body.next_cursor, rows, version);
  } else {
    await showBaskets(asked); // rows of two publications do not stand in one table
  }
}

let onLateFault = () => {};

// Calls back with what goes wrong later, after a click.
export function listen(onFault) {
  onLateFault = onFault;
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => showBaskets(button.dataset.sort).catch(onFault));
  }
  for (const button of document.querySelectorAll("[data-cell]")) {
    button.addEventListener("click", () => cohorts && drawCohorts(button.dataset.cell));
  }
}

function stamp(name, version, more = "") {
  byId(`${name}-version`).textContent = `Data version ${version}.${more}`;
}

// Says it once, in the first part of the section.
function empty(name, ...charts) {
  const [first, ...rest] = [...charts.map((part) => byId(`${name}-${part}`)), byId(`${name}-table`)];
  say(first, NO_DATA);
  for (const part of rest) part.replaceChildren();
}
