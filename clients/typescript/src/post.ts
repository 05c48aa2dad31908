/** One request and what its answer means. */
import type { BatchAnswer, Item, Problem } from "./event.js";
import { retryAfter } from "./retry.js";

/** What came of one request. */
export type Reply =
  | { readonly kind: "answered"; readonly results: BatchAnswer["results"]; readonly retryAfter: number }
  /** The batch as it is can't be taken; a part of it may be. */
  | { readonly kind: "unfit"; readonly problem: Problem }
  /** Nobody answered, or the server can't take anything now. The events may be in the log all the same. */
  | { readonly kind: "away"; readonly problem: Problem; readonly status: number | null; readonly retryAfter: number }
  /** The request itself is wrong, whatever is in it: the key, the address. */
  | { readonly kind: "misconfigured"; readonly problem: Problem; readonly status: number };

export interface Endpoint {
  readonly address: string;
  readonly key: string;
  readonly timeout: number;
  readonly headers: () => Record<string, string>;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** POST the items as one batch. Never throws. */
export async function post(items: readonly Item[], endpoint: Endpoint): Promise<Reply> {
  const given = new AbortController();
  const end = () => given.abort(new Error("closed"));
  const timer = setTimeout(() => given.abort(new Error(`no answer in ${endpoint.timeout} ms`)), endpoint.timeout);
  endpoint.signal.addEventListener("abort", end);
  try {
    const response = await fetch(endpoint.address, {
      method: "POST",
      headers: { ...endpoint.headers(), "Content-Type": "application/json", "X-Internal-Key": endpoint.key },
      body: `[${items.map((item) => item.text).join(",")}]`,
      redirect: "manual",
      signal: given.signal,
    });
    return read(response, await response.text(), items.length);
  } catch (error) {
    return { kind: "away", problem: problemOf(504, reasonOf(error)), status: null, retryAfter: 0 };
  } finally {
    clearTimeout(timer);
    endpoint.signal.removeEventListener("abort", end);
  }
}

/** Whether the same event may be taken later. */
export function isTemporary(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

function read(response: Response, body: string, sent: number): Reply {
  const { status, headers } = response;
  const content = parse(body);
  if (status === 202 || status === 207) {
    if (isBatchAnswer(content, sent)) return { kind: "answered", results: content.results, retryAfter: retryAfter(headers) };
    const problem = problemOf(502, `${status} with a body that is no answer to ${sent} events`);
    return { kind: "away", problem, status, retryAfter: 0 };
  }
  const problem = isProblem(content) ? content : problemOf(status, body.slice(0, 200));
  if (isTemporary(status)) return { kind: "away", problem, status, retryAfter: retryAfter(headers) };
  if (status === 400 || status === 413 || status === 422) return { kind: "unfit", problem };
  return { kind: "misconfigured", problem, status };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function isBatchAnswer(content: unknown, sent: number): content is BatchAnswer {
  const results = (content as Partial<BatchAnswer> | null)?.results;
  return Array.isArray(results) && results.length === sent && results.every((result, index) => result?.index === index);
}

function isProblem(content: unknown): content is Problem {
  const problem = content as Partial<Problem> | null;
  return typeof problem?.status === "number" && typeof problem.detail === "string";
}

/** A problem of our own making, where the server told none. */
export function problemOf(status: number, detail: string): Problem {
  return { type: "about:blank", title: "Not delivered", status, detail };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says "fetch failed" and why in the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
