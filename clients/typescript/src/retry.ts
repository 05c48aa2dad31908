/** When to try again. Pure. */

const FIRST = 100; // milliseconds
const LONGEST = 30_000; // milliseconds
const LONGEST_ASKED = 300_000; // milliseconds; a server that asks for more is asked again sooner

/** Milliseconds until the next try after so many failures in a row: exponential, with full jitter. */
export function backoff(failures: number, random: () => number = Math.random): number {
  return random() * Math.min(LONGEST, FIRST * 2 ** Math.min(failures, 20));
}

/** Milliseconds that `Retry-After` asks for, in seconds or as a date; 0 where it says nothing. */
export function retryAfter(headers: Pick<Headers, "get">, now: number = Date.now()): number {
  const value = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, LONGEST_ASKED);
  const until = Date.parse(value);
  if (Number.isNaN(until)) return 0;
  // Both dates are of one clock, which need not be ours.
  const said = Date.parse(headers.get("date") ?? "");
  return Math.min(Math.max(0, until - (Number.isNaN(said) ? now : said)), LONGEST_ASKED);
}
