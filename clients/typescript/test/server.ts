/** The real server that the tests are run against, and events for it. */
import { randomUUID } from "node:crypto";
import { RhizClient, type Options, type Problem, type RhizEvent } from "../src/index.js";

export const URL_OF_RHIZ = variable("RHIZ_URL");
export const KEY = variable("RHIZ_KEY");
export const HEADERS = { "X-Internal-Key": KEY, "Content-Type": "application/json" };

/** A DID that no other test has. */
export function someone(): string {
  return `did:plc:${randomUUID().replaceAll("-", "")}`;
}

/** An event of a record that is named well enough for the server to derive an id. */
export function record(did: string, n: number, more: Partial<RhizEvent> = {}): RhizEvent {
  const uri = `at://${did}/net.rhiz.test/${n}`;
  const payload = { uri, cid: "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", n };
  return { event_type: "entity.profile.updated", did, payload, rev: "3lc2example2a", ...more };
}

/** An event that the server can derive nothing from. */
export function nameless(did: string, n: number): RhizEvent {
  return { event_type: "entity.profile.updated", did, payload: { n } };
}

/** A client that keeps what it is told. */
export function connect(options: Partial<Options> = {}) {
  const rejected: { event: RhizEvent; problem: Problem }[] = [];
  const troubles: { status: number | null; configuration: boolean; retryIn: number }[] = [];
  const client = new RhizClient({
    url: URL_OF_RHIZ,
    key: KEY,
    linger: 5,
    onRejected: (event, problem) => void rejected.push({ event, problem }),
    onTrouble: (trouble) => void troubles.push(trouble),
    ...options,
  });
  return { client, rejected, troubles };
}

/** POST one event as anybody would. */
export async function plainly(event: unknown): Promise<{ status: number; event_id: string }> {
  const response = await fetch(`${URL_OF_RHIZ}/internal/events`, {
    method: "POST",
    headers: HEADERS,
    body: JSON.stringify(event),
  });
  const { event_id } = (await response.json()) as { event_id: string };
  return { status: response.status, event_id };
}

/** Numbers from 0 to 1, the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: tests/clients/test_typescript.py starts the server and sets it`);
  return value;
}
