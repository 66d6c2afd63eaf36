// Asks this service's own API; knows no element of the page.

const MOST_PAGES = 20;

export class Problem extends Error {
  constructor(problem) {
    super(problem.detail || problem.title);
    this.remedy = problem.remedy || "";
    this.correlationId = problem.correlation_id || "";
  }
}

// Gives the answer and the data version that it was made from.
export async function ask(path) {
  let answer;
  try {
    answer = await fetch(path, { headers: { Accept: "application/json" } });
  } catch {
    throw new Problem({ detail: "The service does not answer.", remedy: "Start it again, then reload this page." });
  }
  if (!answer.ok) {
    throw new Problem(await answer.json().catch(() => ({ detail: `The service answered ${answer.status}.` })));
  }
  return { body: await answer.json(), version: Number(answer.headers.get("X-Data-Version")) };
}

export async function get(path) {
  return (await ask(path)).body;
}

// Follows the cursor of a list to its end.
export async function getAll(path) {
  const rows = [];
  let next = path;
  for (let page = 0; next && page < MOST_PAGES; page += 1) {
    const { data, next_cursor: cursor } = await get(next);
    rows.push(...data);
    next = cursor && `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
  }
  return rows;
}
