/** Under random faults every event arrives, in its DID's order. tests/clients looks at the log afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, nameless, randomOf, record } from "./server.js";
import { FaultyProxy, type Fault } from "./proxy.js";

const EVENTS = 400;
const DIDS = 15;
const SHARE = 0.3; // of requests that something is done to
const FAULTS: Fault[] = [
  { kind: "cut" },
  { kind: "lose" },
  { kind: "lose" },
  { kind: "answer", status: 503 },
  { kind: "answer", status: 500, body: "oops" },
  { kind: "answer", status: 202, body: "{" },
  { kind: "answer", status: 413 },
];

for (const seed of [11, 12]) {
  test(`nothing is lost and no order broken (seed ${seed})`, async () => {
    const random = randomOf(seed);
    // 413 for a single event would be for good.
    const proxy = await FaultyProxy.start(({ events }) => {
      const fault = FAULTS[Math.floor((random() / SHARE) * FAULTS.length)] ?? { kind: "pass" };
      return fault.kind === "answer" && fault.status === 413 && events.length === 1 ? { kind: "pass" } : fault;
    });
    const { client, rejected } = connect({ url: proxy.url, batchEvents: 40, bufferEvents: 100 });
    const counts = new Map<string, number>();
    const outcomes = [];
    for (let i = 0; i < EVENTS; i += 1) {
      // Some DIDs have many events, most have few.
      const did = `did:fault:${seed}-${Math.floor(DIDS * random() ** 2)}`;
      const n = counts.get(did) ?? 0;
      counts.set(did, n + 1);
      const event = random() < 0.5 ? record(did, n) : nameless(did, n);
      outcomes.push((await client.send({ ...event, priority: Math.floor(random() * 4) })).outcome);
    }
    assert.deepEqual(await client.close(60_000), []);
    for (const outcome of await Promise.all(outcomes)) assert.match(outcome.status, /enqueued|duplicate/);
    assert.deepEqual(rejected, []);
    assert.deepEqual(proxy.overlaps, []);
    await proxy.stop();
  });
}
