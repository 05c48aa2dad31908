/** The events that wait to be sent, each DID's in a lane of its own. Nothing here knows time or network. */
import type { Item } from "./event.js";

/** Lanes in the order in which they became ready; a lane whose events are under way is not among them. */
export class Lanes {
  #lanes = new Map<string, Item[]>();
  #ready = new Set<string>();
  #events = 0;
  #bytes = 0;

  /** How many events could be sent now. */
  get events(): number {
    return this.#events;
  }

  /** How many bytes they have. */
  get bytes(): number {
    return this.#bytes;
  }

  add(item: Item): void {
    const lane = this.#lanes.get(item.did);
    if (lane) lane.push(item);
    else this.#lanes.set(item.did, [item]);
    if (!lane) this.#ready.add(item.did);
    if (this.#ready.has(item.did)) this.#count([item], 1);
  }

  /**
   * The next batch: at most so many events and bytes, but at least one event if there are any. Its DIDs are under way
   * until they are given back.
   */
  take(maxEvents: number, maxBytes: number): Item[] {
    const batch: Item[] = [];
    let bytes = 0;
    for (const did of this.#ready) {
      const lane = this.#lanes.get(did)!;
      let taken = 0;
      for (const item of lane) {
        if (batch.length > 0 && (batch.length >= maxEvents || bytes + item.bytes > maxBytes)) break;
        // The server may have room for an urgent event and none for an earlier one of its DID.
        if (taken > 0 && item.priority > lane[taken - 1]!.priority) break;
        batch.push(item);
        bytes += item.bytes;
        taken += 1;
      }
      if (taken === 0) break;
      this.#count(lane, -1);
      this.#ready.delete(did);
      lane.splice(0, taken);
    }
    return batch;
  }

  /** A DID is no longer under way; `unfinished` of its events, in their order, go before the others. */
  giveBack(did: string, unfinished: readonly Item[]): void {
    const lane = this.#lanes.get(did)!;
    lane.unshift(...unfinished);
    if (lane.length === 0) {
      this.#lanes.delete(did);
      return;
    }
    this.#ready.add(did);
    this.#count(lane, 1);
  }

  #count(items: readonly Item[], sign: 1 | -1): void {
    for (const item of items) {
      this.#events += sign;
      this.#bytes += sign * item.bytes;
    }
  }
}
