/** What goes over the wire, as the OpenAPI document describes it. */
import type { components } from "./schema.js";

/** One event as `POST /internal/events` takes it. */
export type RhizEvent = components["schemas"]["Event"];

/** RFC 9457 problem details. */
export type Problem = components["schemas"]["Problem"];

/** The server's answer to a batch. */
export type BatchAnswer = components["schemas"]["BatchAnswer"];

/** What became of one event. */
export type Outcome =
  | { readonly status: "enqueued" | "duplicate"; readonly eventId: string | null }
  | { readonly status: "rejected"; readonly eventId: string | null; readonly problem: Problem }
  /** The client was closed first; `close` returned the event. It may be in the log all the same. */
  | { readonly status: "undelivered"; readonly eventId: string | null };

/** An event between `send` and its outcome. */
export interface Item {
  readonly did: string;
  readonly priority: number;
  /** The event's JSON as it is sent, in every try the same. */
  readonly text: string;
  /** Of `text` in UTF-8. */
  readonly bytes: number;
  readonly eventId: string | null;
  /** When it was taken over, in milliseconds of `performance.now()`. */
  readonly since: number;
  /** How often the server answered that there is no room for it. */
  refusals: number;
  readonly settle: (outcome: Outcome) => void;
}
