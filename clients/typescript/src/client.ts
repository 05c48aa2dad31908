/** The client: what is sent is held in memory until the server has it, and goes out in each DID's order. */
import type { Item, Outcome, Problem, RhizEvent } from "./event.js";
import { identityOf } from "./identity.js";
import { addressOf, limitsOf, type Options } from "./options.js";
import { Room } from "./room.js";
import { Sender } from "./sender.js";

const NORMAL = 1; // the priority of an event that names none
const DEADLINE = 10_000; // milliseconds

/** `send` was called on a closed client, or was waiting for room when it was closed. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";

  constructor() {
    super("the client is closed; the event was not taken over");
  }
}

/** An event that the client has taken over. */
export interface Sent {
  /** Null where only the server can say it; the outcome tells it then. */
  readonly eventId: string | null;
  /** What became of it. Never rejects. */
  readonly outcome: Promise<Outcome>;
}

/** Sends events to one rhiz. Make one for the whole process, and close it at the end. */
export class RhizClient {
  readonly #room: Room;
  readonly #sender: Sender;
  readonly #onRejected: Options["onRejected"];
  readonly #held = new Map<Item, Promise<Outcome>>(); // in the order in which they were taken over
  #closing: Promise<RhizEvent[]> | null = null;

  /** Throws TypeError for a url or key that can't be used, RangeError for a limit that can't be. */
  constructor(options: Options) {
    new Headers({ "X-Internal-Key": options.key }); // throws for what no header can hold
    const limits = limitsOf(options);
    this.#onRejected = options.onRejected;
    this.#room = new Room(limits.bufferEvents, limits.bufferBytes);
    this.#sender = new Sender({
      ...limits,
      address: addressOf(options.url),
      key: options.key,
      headers: options.headers ?? (() => ({})),
      onTrouble: options.onTrouble ?? ((trouble) => console.error(`rhiz: ${trouble.message}`)),
      onOutcome: (item, fate) => {
        if (fate.status === "rejected") void this.#reject(item, fate.problem);
        else this.#release(item, { status: fate.status, eventId: fate.eventId ?? item.eventId });
      },
    });
  }

  /** What is held in memory: taken over, and without an outcome yet. */
  get pending(): { readonly events: number; readonly bytes: number } {
    return { events: this.#room.events, bytes: this.#room.bytes };
  }

  /**
   * Hand an event over. Resolves once it is held, which lasts while the buffer is full: await it, and the reader of the
   * firehose goes no faster than rhiz. It is not in the log yet; `outcome` tells when it is.
   *
   * Events of one DID arrive in the order of these calls. What is changed in `event` afterwards is not seen.
   *
   * Rejects with ClosedError, or with TypeError if JSON can't express the event.
   */
  async send(event: RhizEvent): Promise<Sent> {
    if (this.#closing) throw new ClosedError();
    const { eventId, sent } = identityOf(event);
    const text = JSON.stringify(sent ? { ...event, event_id: eventId } : event);
    const bytes = Buffer.byteLength(text);
    const { did, priority = NORMAL } = event;
    let settle!: (outcome: Outcome) => void;
    const outcome = new Promise<Outcome>((resolve) => (settle = resolve));
    await this.#room.enter(bytes, () => {
      const item = { did, priority, text, bytes, eventId, since: performance.now(), refusals: 0, settle };
      this.#held.set(item, outcome);
      this.#sender.add(item);
    });
    return { eventId, outcome };
  }

  /** Send what is held without waiting for more. Resolves when each event taken over before has its outcome. */
  async flush(): Promise<void> {
    await this.#sender.hurryUntil(Promise.all(this.#held.values()));
  }

  /**
   * Take nothing more, and deliver what is held.
   *
   * Gives back what could not be delivered within `deadline` milliseconds, in its order, empty if all was. Such an event
   * may be in the log all the same; sent again as it is given back, it is a duplicate.
   */
  close(deadline: number = DEADLINE): Promise<RhizEvent[]> {
    this.#closing ??= this.#close(deadline);
    return this.#closing;
  }

  async #close(deadline: number): Promise<RhizEvent[]> {
    this.#room.shut(new ClosedError());
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadline)));
    await Promise.race([this.flush(), late]);
    clearTimeout(timer);
    this.#sender.stop();
    const undelivered = [...this.#held.keys()];
    for (const item of undelivered) this.#release(item, { status: "undelivered", eventId: item.eventId });
    return undelivered.map(eventOf);
  }

  async #reject(item: Item, problem: Problem): Promise<void> {
    try {
      await this.#onRejected(eventOf(item), problem);
    } catch (error) {
      console.error("rhiz: onRejected failed", error, item.text, problem);
    }
    this.#release(item, { status: "rejected", eventId: item.eventId, problem });
  }

  #release(item: Item, outcome: Outcome): void {
    // An answer may come after `close` has given the event back.
    if (!this.#held.delete(item)) return;
    item.settle(outcome);
    this.#room.leave(item.bytes);
  }
}

function eventOf(item: Item): RhizEvent {
  return JSON.parse(item.text) as RhizEvent;
}
