/** The parts that need no server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deliver } from "../src/delivery.js";
import type { Item } from "../src/event.js";
import { Lanes } from "../src/lanes.js";
import { addressOf, limitsOf } from "../src/options.js";
import { problemOf, type Reply } from "../src/post.js";
import { backoff, retryAfter } from "../src/retry.js";
import { Room } from "../src/room.js";
import { randomOf } from "./server.js";

function item(did: string, n: number, priority = 1): Item {
  const common = { eventId: null, since: 0, refusals: 0, settle: () => undefined };
  return { did, priority, text: String(n), bytes: 10, ...common };
}

const seconds = (headers: Record<string, string>, now?: number) => retryAfter(new Headers(headers), now) / 1000;

test("Retry-After is read as seconds and as a date, by the server's clock where it tells it", () => {
  const date = "Sun, 01 Nov 2026 12:00:00 GMT";
  const until = "Sun, 01 Nov 2026 12:00:07 GMT";
  assert.equal(seconds({ "Retry-After": "3" }), 3);
  assert.equal(seconds({ "Retry-After": until }, Date.parse(date)), 7);
  assert.equal(seconds({ "Retry-After": until, Date: date }, 0), 7);
  assert.equal(seconds({ "Retry-After": date, Date: until }), 0);
  assert.equal(seconds({ "Retry-After": "soon" }), 0);
  assert.equal(seconds({}), 0);
  assert.equal(seconds({ "Retry-After": "99999999999999999999" }), 300);
});

test("the wait grows with the failures, up to half a minute, and is drawn from all of it", () => {
  assert.deepEqual([1, 2, 3, 50].map((failures) => backoff(failures, () => 1)), [200, 400, 800, 30_000]);
  assert.equal(backoff(50, () => 0), 0);
});

test("an address and limits that can't be are refused at once", () => {
  const options = { url: "http://a", key: "k", onRejected: () => undefined };
  assert.equal(addressOf("http://a:1/base/"), "http://a:1/base/internal/events");
  assert.throws(() => addressOf("ftp://a"), TypeError);
  assert.throws(() => addressOf("nowhere"), TypeError);
  assert.equal(limitsOf(options).batchEvents, 500);
  for (const wrong of [{ batchEvents: 5_001 }, { requests: 0 }, { timeout: Number.NaN }, { bufferEvents: -1 }]) {
    assert.throws(() => limitsOf({ ...options, ...wrong }), RangeError);
  }
});

test("who waits for room gets in in turn, and a later one does not slip by", async () => {
  const room = new Room(2, 100);
  const order: string[] = [];
  const enter = (name: string, bytes: number) => room.enter(bytes, () => order.push(name));
  await enter("first", 90);
  const large = enter("large", 90);
  const small = enter("small", 1);
  assert.deepEqual(order, ["first"]);
  room.leave(90);
  await Promise.all([large, small]);
  assert.deepEqual(order, ["first", "large", "small"]);
  assert.equal(room.events, 2);
  assert.equal(room.bytes, 91);
});

test("an event that is larger than the whole room gets in alone", async () => {
  const room = new Room(10, 100);
  await room.enter(1_000, () => undefined);
  const next = room.enter(1, () => undefined);
  room.shut(new Error("shut"));
  await assert.rejects(next, /shut/);
});

test("an urgent event does not share a batch with an earlier one of its DID", () => {
  const lanes = new Lanes();
  for (const each of [item("a", 0), item("a", 1, 3), item("b", 2, 3), item("b", 3)]) lanes.add(each);
  assert.deepEqual(lanes.take(10, 1_000).map((each) => each.text), ["0", "2", "3"]);
  assert.equal(lanes.events, 0);
  lanes.giveBack("a", []);
  assert.deepEqual(lanes.take(10, 1_000).map((each) => each.text), ["1"]);
});

test("when a half can't be delivered the other half is not sent before it", async () => {
  const asked: string[] = [];
  const send = async (items: readonly Item[]): Promise<Reply> => {
    asked.push(items.map(({ text }) => text).join(""));
    const problem = problemOf(503, "full");
    if (items.length === 4) return { kind: "unfit", problem };
    return { kind: "away", problem, status: 503, retryAfter: 1_000 };
  };
  const { fates, obstacle } = await deliver([0, 1, 2, 3].map((n) => item("a", n)), send);
  assert.deepEqual(asked, ["0123", "01"]);
  assert.deepEqual(fates.map(({ status }) => status), ["again", "again", "again", "again"]);
  assert.equal(obstacle?.kind, "away");
});

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`lanes keep each DID's order, whatever is given back (seed ${seed})`, () => {
    const random = randomOf(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const lanes = new Lanes();
    const done = new Map<string, number>();
    const underWay: Item[][] = [];
    let added = 0;
    const counts = new Map<string, number>();
    while (added < 500 || lanes.events > 0 || underWay.length > 0) {
      const did = `did:${below(10)}`;
      if (added < 500 && random() < 0.6) {
        const n = counts.get(did) ?? 0;
        lanes.add(item(did, n, below(4)));
        counts.set(did, n + 1);
        added += 1;
      }
      if (random() < 0.3) {
        const batch = lanes.take(1 + below(20), 10 + below(300));
        const busy = new Set(underWay.flat().map((each) => each.did));
        assert.ok(batch.every((each) => !busy.has(each.did)));
        if (batch.length > 0) underWay.push(batch);
      }
      if (underWay.length > 0 && random() < 0.3) {
        const [batch] = underWay.splice(below(underWay.length), 1);
        for (const each of new Set(batch!.map(({ did }) => did))) {
          const mine = batch!.filter(({ did }) => did === each);
          const finished = mine.slice(0, below(mine.length + 1));
          for (const one of finished) {
            assert.equal(Number(one.text), done.get(each) ?? 0);
            done.set(each, Number(one.text) + 1);
          }
          lanes.giveBack(each, mine.slice(finished.length));
        }
      }
    }
    assert.deepEqual(done, counts);
    assert.equal(lanes.bytes, 0);
  });
}
