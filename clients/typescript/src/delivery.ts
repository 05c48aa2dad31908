/** A batch sent, in parts where it can't be taken whole. */
import type { Item, Problem } from "./event.js";
import { isTemporary, problemOf, type Reply } from "./post.js";

/** What became of one item: taken, refused for good, or to be sent again. */
export type Fate =
  | { readonly status: "enqueued" | "duplicate"; readonly eventId: string | null }
  | { readonly status: "rejected"; readonly problem: Problem }
  | { readonly status: "again"; readonly problem: Problem };

/** Why the whole client has to wait. */
export type Obstacle = Extract<Reply, { kind: "away" | "misconfigured" }>;

export interface Delivery {
  /** One for each item, in their order. */
  readonly fates: readonly Fate[];
  readonly obstacle: Obstacle | null;
  /** Milliseconds that the server asks to wait with the events that are to be sent again. */
  readonly retryAfter: number;
}

/**
 * Send `items`, in halves where the server can't take them together, so that one bad event never blocks others. Once a
 * part meets an obstacle the parts behind it are not sent: a DID may be in both.
 */
export async function deliver(
  items: readonly Item[],
  send: (items: readonly Item[]) => Promise<Reply>,
): Promise<Delivery> {
  const reply = await send(items);
  switch (reply.kind) {
    case "answered":
      return { fates: reply.results.map(fateOf), obstacle: null, retryAfter: reply.retryAfter };
    case "unfit":
      if (items.length === 1) {
        return { fates: [{ status: "rejected", problem: reply.problem }], obstacle: null, retryAfter: 0 };
      }
      return inHalves(items, send);
    default: {
      const again: Fate = { status: "again", problem: reply.problem };
      const asked = reply.kind === "away" ? reply.retryAfter : 0;
      return { fates: items.map(() => again), obstacle: reply, retryAfter: asked };
    }
  }
}

async function inHalves(
  items: readonly Item[],
  send: (items: readonly Item[]) => Promise<Reply>,
): Promise<Delivery> {
  const middle = items.length >> 1;
  const first = await deliver(items.slice(0, middle), send);
  const later = items.slice(middle);
  const stopped = first.fates.find((fate) => fate.status === "again");
  if (stopped) return { ...first, fates: [...first.fates, ...later.map(() => stopped)] };
  const second = await deliver(later, send);
  return { ...second, fates: [...first.fates, ...second.fates] };
}

function fateOf(result: Extract<Reply, { kind: "answered" }>["results"][number]): Fate {
  const { status, event_id: eventId, error } = result;
  if (status !== "rejected") return { status, eventId };
  const problem = error ?? problemOf(500, "rejected without a reason");
  return { status: isTemporary(problem.status) ? "again" : "rejected", problem };
}
