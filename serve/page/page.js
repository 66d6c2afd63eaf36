// Fills the page from the API; every text goes in as text, never as markup.

import { get, getAll } from "./api.js";
import { barChart, revenueChart } from "./charts.js";
import { count, day, exact, height, instant, money } from "./format.js";
import { listen, showBaskets, showCohorts, showSegments, showTrends } from "./marts.js";
import { amount, byId, element, number, press, say, table } from "./tables.js";

const NO_DATA = "No data yet. Load sales with the command retail ingest, then retail run, and reload this page.";
const MART = "/api/v1/datamart";
const TITLES = { day: "Revenue by day", week: "Revenue by week", month: "Revenue by month" };
const OUTCOMES = { rejected: "Rejected", merged: "Merged", dead_letter: "Not readable" };

function showOverview(overview) {
  const { publication } = overview;
  byId("publication").textContent = publication.data_version
    ? `${day(overview.first_date)} to ${day(overview.last_date)} · data version ${publication.data_version}, published ${instant(publication.published_at)}`
    : "Nothing is published yet.";
  const score = overview.average_quality_score;
  const totals = [
    ["Net", money(overview.net), exact(overview.net)],
    ["Sales revenue", money(overview.sales_revenue), exact(overview.sales_revenue)],
    ["Lines", count(overview.lines)],
    ["Invoices", count(overview.invoices)],
    ["Customers", count(overview.customers)],
    ["Products", count(overview.products)],
    ["Guest lines", count(overview.guest_lines)],
    ["Cancelled lines", count(overview.cancelled_lines)],
    ["Returns", count(overview.return_lines)],
    ["Quality score", score === null ? "–" : score.toFixed(4), "Average over all lines, 0 to 1"],
  ];
  byId("totals").replaceChildren(
    ...totals.map(([title, text, hint]) => {
      const box = element("div", undefined, hint ? { title: hint } : {});
      box.append(element("dt", title), element("dd", text));
      return box;
    }),
  );
  showQuality(overview);
}

function showQuality({ quality, lines }) {
  const warned = quality.filter((row) => row.outcome === "warned");
  const columns = [["Rule", (row) => row.rule_id.replaceAll("_", " ")], number("Lines", "lines"), amount("Value", "amount")];
  if (warned.length) {
    barChart(byId("quality-chart"), warned.map((row) => ({ label: row.rule_id.replaceAll("_", " "), value: row.lines, text: count(row.lines) })));
    table(byId("quality-table"), "Warnings", columns, warned);
  } else {
    say(byId("quality-chart"), lines ? "No line has a warning." : NO_DATA);
    byId("quality-table").replaceChildren();
  }
  const left = quality.filter((row) => row.outcome !== "warned");
  if (left.length) {
    table(byId("rejected-table"), "Lines that are not in the figures", [["Outcome", (row) => OUTCOMES[row.outcome]], ...columns], left);
  } else {
    say(byId("rejected-table"), lines ? "No line was rejected, merged or unreadable." : NO_DATA);
  }
}

let wanted = "";

async function showRevenue(granularity) {
  wanted = granularity;
  const rows = await getAll(`${MART}/revenue?granularity=${granularity}&limit=1000`);
  if (wanted !== granularity) return; // another period was chosen in the meantime
  byId("revenue-title").textContent = TITLES[granularity];
  press("granularity", granularity);
  if (!rows.length) {
    empty("revenue");
    return;
  }
  revenueChart(byId("revenue-chart"), rows);
  const columns = [["Period", (row) => row.period], amount("Net", "net"), amount("Sales revenue", "sales_revenue"), number("Invoices", "sale_invoices"), number("Lines", "lines"), amount("Cancelled", "cancelled_value")];
  table(byId("revenue-table"), TITLES[granularity], columns, rows);
}

async function showProducts() {
  const { data } = await get(`${MART}/products?limit=10`);
  if (!data.length) {
    empty("products");
    return;
  }
  barChart(byId("products-chart"), data.map((row) => ({ label: row.description || row.stock_code, value: height(row.net), text: money(row.net) })));
  const columns = [["Code", (row) => row.stock_code], ["Description", (row) => row.description || "–"], amount("Net", "net"), number("Units", "units"), number("Returned", "returned_units")];
  table(byId("products-table"), "Top products", columns, data);
}

async function showCountries() {
  const { data } = await get(`${MART}/countries`);
  if (!data.length) {
    empty("countries");
    return;
  }
  barChart(byId("countries-chart"), data.slice(0, 10).map((row) => ({ label: row.country, value: height(row.net), text: money(row.net) })));
  const columns = [["Country", (row) => row.country], amount("Net", "net"), amount("Sales revenue", "sales_revenue"), number("Customers", "customers"), number("Lines", "lines")];
  table(byId("countries-table"), "Countries", columns, data);
}

function empty(name) {
  say(byId(`${name}-chart`), NO_DATA);
  say(byId(`${name}-table`), NO_DATA);
}

function told(fault) {
  const message = /[.!?]$/.test(fault.message) ? fault.message : `${fault.message}.`;
  return `${message} ${fault.remedy ?? ""}`.trim();
}

function showFault(fault) {
  const notice = byId("notice");
  const id = fault.correlationId ? ` (request ${fault.correlationId})` : "";
  notice.textContent = `The figures could not be loaded: ${told(fault)}${id}`;
  notice.hidden = false;
}

async function load() {
  const sections = {
    revenue: showRevenue("day"),
    trends: showTrends(),
    products: showProducts(),
    countries: showCountries(),
    segments: showSegments(),
    cohorts: showCohorts(),
    baskets: showBaskets("lift"),
  };
  const parts = Object.entries(sections).map(([name, shown]) => shown.catch((fault) => {
    // The section says for itself why it is empty.
    say(byId(`${name}-chart`) ?? byId(`${name}-table`), told(fault));
    throw fault;
  }));
  parts.unshift(get(`${MART}/overview`).then(showOverview));
  const faults = (await Promise.allSettled(parts)).filter((part) => part.status === "rejected");
  if (faults.length) {
    showFault(faults[0].reason);
    if (byId("totals").childElementCount === 0) byId("publication").textContent = "The figures could not be loaded.";
  }
  byId("main").setAttribute("aria-busy", "false");
}

for (const button of document.querySelectorAll("[data-granularity]")) {
  button.addEventListener("click", () => showRevenue(button.dataset.granularity).catch(showFault));
}
listen(showFault);
load();
