/** Which event_id an event has, so that sending it again makes no second event. */
import { createHash, randomUUID } from "node:crypto";
import type { RhizEvent } from "./event.js";

// The server's namespace of derived ids; it never changes.
const NAMESPACE = Buffer.from("6b3f8f0c5b0e5d0a9c552f4f0c7d1e11", "hex");
const DATETIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:)([0-5]\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/;
// In JSON: a NUL or half of a surrogate pair. The log can't hold such a payload, and derives nothing from it.
const UNHOLDABLE = /\\u(?:0000|d[89a-f])/;
const CONTAINERS = 100; // within each other, at most; more of them side by side are harmless

/** An event's id, and whether it has to be sent or the server derives it. */
export interface Identity {
  /** Null where only the server can say it. */
  readonly eventId: string | null;
  readonly sent: boolean;
}

/**
 * The identity of `event`.
 *
 * What the server derives is left to it: an id that is sent and taken by another content is answered 409, a derived one
 * is a duplicate. Where nothing can be derived a random id is made, the same for every try.
 */
export function identityOf(event: RhizEvent): Identity {
  if (event.event_id) return { eventId: event.event_id, sent: true };
  if (!isDerivable(event)) return { eventId: randomUUID(), sent: true };
  const derived = derivedId(event);
  if (isHoldable(JSON.stringify(event.payload))) return { eventId: derived, sent: false };
  return { eventId: derived ?? randomUUID(), sent: true };
}

/** The event_id that the server derives from `event`; null where it derives none, or only it can say. */
export function derivedId(event: RhizEvent): string | null {
  const { uri, cid } = event.payload;
  const moment = event.rev || (event.occurred_at ? utc(event.occurred_at) : null);
  if (!isDerivable(event) || !moment) return null;
  if (cid !== null && cid !== undefined && typeof cid !== "string") return null;
  return uuid5(JSON.stringify([event.event_type, event.did, uri, cid ?? null, moment]));
}

function isDerivable(event: RhizEvent): boolean {
  const uri = event.payload["uri"];
  return typeof uri === "string" && uri !== "" && Boolean(event.rev || event.occurred_at);
}

function isHoldable(payload: string): boolean {
  return !UNHOLDABLE.test(payload) && (payload.match(/[[{]/g)?.length ?? 0) <= CONTAINERS;
}

/** A datetime as the server spells it: in UTC, microseconds where there are some. Null for a leap second. */
function utc(text: string): string | null {
  const match = DATETIME.exec(text);
  if (!match) return null;
  const [, minute, second, fraction = "", zone] = match;
  const moment = new Date(`${minute}${second}${zone}`);
  if (Number.isNaN(moment.getTime())) return null;
  const microseconds = fraction.slice(0, 6).padEnd(6, "0");
  const spelled = moment.toISOString().slice(0, 19);
  return spelled + (microseconds === "000000" ? "Z" : `.${microseconds}Z`);
}

function uuid5(name: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(name).digest().subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
