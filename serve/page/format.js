// Turns the API's values into text; knows no element of the page. Money stays a decimal string: no float rounds it.

const LOCALE = "en-GB";
const counts = new Intl.NumberFormat(LOCALE);
const symbols = new Map();

export function count(value) {
  return counts.format(value);
}

// Rounds the four decimals to two.
export function money(value) {
  if (value === null) return "–";
  const [sign, pence] = signAndCount(value, 100n);
  const text = pence.toString().padStart(3, "0");
  return `${sign}${symbol(value.currency)}${group(text.slice(0, -2))}.${text.slice(-2)}`;
}

export function wholeMoney(value) {
  const [sign, whole] = signAndCount(value, 10_000n);
  return `${sign}${symbol(value.currency)}${group(whole.toString())}`;
}

// Counts an amount in units of so many ten-thousandths, half away from zero, in whole numbers.
function signAndCount(value, unit) {
  const [whole, decimals] = value.amount.replace("-", "").split(".");
  const units = (BigInt(whole + decimals) + unit / 2n) / unit;
  return [value.amount.startsWith("-") && units > 0n ? "−" : "", units];
}

// A share such as "0.2324" as 23.2 %; these are no money.
export function percent(text, digits) {
  return text === null ? "–" : `${rounded(String(Number(text) * 100), digits)}\u00a0%`;
}

// A change such as "-0.0412" as −4.1 %.
export function change(text) {
  if (text === null) return "–";
  const shown = percent(text, 1);
  return Number(text) > 0 ? `+${shown}` : shown;
}

export function rounded(text, digits) {
  const format = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" });
  return format.format(Number(text)).replace("-", "−");
}

// For the length of a bar only.
export function height(value) {
  return Number(value.amount);
}

export function exact(value) {
  return value === null ? "" : `${value.amount} ${value.currency}`;
}

export function day(text) {
  return text ? new Date(`${text}T00:00:00Z`).toLocaleDateString(LOCALE, { dateStyle: "medium", timeZone: "UTC" }) : "–";
}

export function instant(text) {
  return text ? new Date(text).toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short" }) : "–";
}

export function symbol(currency) {
  if (!symbols.has(currency)) {
    const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
    const found = format.formatToParts(0).find((part) => part.type === "currency").value;
    symbols.set(currency, found.length > 1 ? `${found}\u00a0` : found);
  }
  return symbols.get(currency);
}

function group(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}
