/** What decides when which events go out: batches, requests side by side, waiting after failures. */
import { setMaxListeners } from "node:events";
import { deliver, type Delivery, type Fate, type Obstacle } from "./delivery.js";
import type { Item } from "./event.js";
import { Lanes } from "./lanes.js";
import type { Limits, Trouble } from "./options.js";
import { post, problemOf } from "./post.js";
import { backoff } from "./retry.js";

const MISCONFIGURED_RETRY = 30_000; // milliseconds

export interface SenderOptions extends Limits {
  readonly address: string;
  readonly key: string;
  readonly headers: () => Record<string, string>;
  readonly onTrouble: (trouble: Trouble) => void;
  readonly onOutcome: (item: Item, fate: Exclude<Fate, { status: "again" }>) => void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #lanes = new Lanes();
  readonly #stopped = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  #batchEvents: number; // halved by each failure: what ends every request it is in must not hold others up for ever
  #underWay = 0; // requests
  #failures = 0; // in a row
  #resumeAt = 0; // milliseconds of performance.now(); nothing is sent before
  #lingering = false;
  #due = false; // what waits has waited long enough for company
  #hurry = 0; // callers that wait for everything to be sent

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#batchEvents = options.batchEvents;
    setMaxListeners(options.requests + 1, this.#stopped.signal);
  }

  add(item: Item): void {
    this.#lanes.add(item);
    this.#pump();
  }

  /** Send without waiting for more until `work` is done. */
  async hurryUntil(work: Promise<unknown>): Promise<void> {
    this.#hurry += 1;
    this.#pump();
    try {
      await work;
    } finally {
      this.#hurry -= 1;
    }
  }

  /** End every request and start no other. */
  stop(): void {
    this.#stopped.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #pump(): void {
    while (!this.#stopped.signal.aborted && performance.now() >= this.#resumeAt) {
      // After a failure one request finds out whether the server is back.
      if (this.#underWay >= (this.#failures > 0 ? 1 : this.#options.requests)) return;
      if (this.#lanes.events === 0) {
        this.#due = false;
        return;
      }
      const full = this.#lanes.events >= this.#batchEvents || this.#lanes.bytes >= this.#options.batchBytes;
      if (!full && !this.#due && this.#hurry === 0) {
        this.#linger();
        return;
      }
      void this.#deliver(this.#lanes.take(this.#batchEvents, this.#options.batchBytes));
    }
  }

  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.#after(this.#options.linger, () => {
      this.#lingering = false;
      this.#due = true;
      this.#pump();
    });
  }

  async #deliver(batch: readonly Item[]): Promise<void> {
    const { address, key, timeout, headers } = this.#options;
    const endpoint = { address, key, timeout, headers, signal: this.#stopped.signal };
    this.#underWay += 1;
    const delivery = await deliver(batch, (part) => post(part, endpoint));
    this.#underWay -= 1;
    if (this.#stopped.signal.aborted) return;
    if (delivery.obstacle) this.#wait(delivery.obstacle, batch.length);
    else this.#goOn();
    this.#settle(batch, delivery);
    this.#pump();
  }

  /** Tell outcomes, and put the rest back, each DID's in its order. */
  #settle(batch: readonly Item[], delivery: Delivery): void {
    const unfinished = new Map<string, Item[]>(batch.map((item) => [item.did, []]));
    batch.forEach((item, index) => {
      const fate = this.#expired(item, delivery.fates[index]!);
      if (fate.status === "again") unfinished.get(item.did)!.push(item);
      else this.#options.onOutcome(item, fate);
    });
    for (const [did, items] of unfinished) {
      // Behind an obstacle everything waits; else these events do, with their DIDs, and the others go on.
      if (items.length === 0 || delivery.obstacle) this.#lanes.giveBack(did, items);
      else this.#hold(did, items, delivery.retryAfter);
    }
  }

  #hold(did: string, items: readonly Item[], asked: number): void {
    for (const item of items) item.refusals += 1;
    this.#after(asked + backoff(items[0]!.refusals), () => {
      this.#lanes.giveBack(did, items);
      this.#due = true;
      this.#pump();
    });
  }

  #expired(item: Item, fate: Fate): Fate {
    const { patience } = this.#options;
    if (fate.status !== "again" || performance.now() - item.since < patience) return fate;
    const { status, detail } = fate.problem;
    return { status: "rejected", problem: problemOf(status, `not delivered within ${patience} ms: ${detail}`) };
  }

  #goOn(): void {
    this.#failures = 0;
    this.#batchEvents = Math.min(this.#batchEvents * 2, this.#options.batchEvents);
  }

  #wait(obstacle: Obstacle, events: number): void {
    const now = performance.now();
    const asked = obstacle.kind === "away" ? obstacle.retryAfter : MISCONFIGURED_RETRY;
    // Requests that fail together are one failure.
    if (now >= this.#resumeAt) {
      this.#failures += 1;
      this.#batchEvents = Math.max(1, Math.min(this.#batchEvents, events) >> 1);
    }
    const retryIn = asked + backoff(this.#failures);
    if (now + retryIn > this.#resumeAt) {
      this.#resumeAt = now + retryIn;
      this.#after(retryIn, () => this.#resume());
    }
    this.#tell(obstacle, Math.round(this.#resumeAt - now));
  }

  #resume(): void {
    const left = this.#resumeAt - performance.now();
    // A timer may ring a little early.
    if (left > 0) this.#after(left, () => this.#resume());
    this.#due = true;
    this.#pump();
  }

  #tell(obstacle: Obstacle, retryIn: number): void {
    const configuration = obstacle.kind === "misconfigured";
    const what = configuration ? "the request is refused, mend the configuration" : "events are delayed";
    const message = `${what}: ${obstacle.problem.detail}; next try in ${retryIn} ms`;
    try {
      this.#options.onTrouble({ message, status: obstacle.status, configuration, retryIn });
    } catch (error) {
      console.error("rhiz: onTrouble failed", error);
    }
  }

  #after(milliseconds: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, milliseconds);
    this.#timers.add(timer);
  }
}
