/** The client against the real server, with faults in between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, type RhizEvent } from "../src/index.js";
import { connect, nameless, plainly, record, someone } from "./server.js";
import { FaultyProxy, type Fault, type Seen } from "./proxy.js";

const PASS: Fault = { kind: "pass" };

/** A client whose requests go through a proxy with this plan; both are closed at the test's end. */
async function through(
  t: { after: (done: () => Promise<unknown>) => void },
  plan: (seen: Seen, index: number) => Fault,
  options: Parameters<typeof connect>[0] = {},
) {
  const proxy = await FaultyProxy.start(plan);
  const connected = connect({ url: proxy.url, ...options });
  t.after(async () => {
    await connected.client.close(0);
    await proxy.stop();
  });
  return { proxy, ...connected };
}

function opening(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test("many events go out in few requests, several of them at once, none with a DID of another", async (t) => {
  const { client, proxy } = await through(t, () => PASS, { batchEvents: 100 });
  const dids = Array.from({ length: 300 }, someone);
  const sent = await Promise.all(Array.from({ length: 1_200 }, (_, n) => client.send(record(dids[n % 300]!, n))));
  await client.flush();
  const outcomes = await Promise.all(sent.map(({ outcome }) => outcome));
  assert.ok(outcomes.every((outcome, n) => outcome.status === "enqueued" && outcome.eventId === sent[n]!.eventId));
  assert.ok(proxy.seen.every(({ events }) => events.length <= 100));
  assert.ok(proxy.seen.length <= 40);
  assert.ok(proxy.widest > 1 && proxy.widest <= 4);
  assert.deepEqual(proxy.overlaps, []);
  assert.deepEqual(client.pending, { events: 0, bytes: 0 });
});

test("a single event goes out by itself, with the headers of the caller", async (t) => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { client, proxy } = await through(t, () => PASS, { headers: () => ({ traceparent }) });
  const { outcome } = await client.send(record(someone(), 0));
  assert.equal((await outcome).status, "enqueued");
  assert.equal(proxy.seen[0]!.headers["traceparent"], traceparent);
});

test("send waits while the buffer is full, and goes on when the server does", async (t) => {
  const { opened, open } = opening();
  const { client } = await through(t, () => ({ kind: "hold", until: opened }), { bufferEvents: 10, linger: 0 });
  const did = someone();
  for (let n = 0; n < 10; n += 1) await client.send(record(did, n));
  let taken = false;
  const eleventh = client.send(record(did, 10)).then((sent) => ((taken = true), sent));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken, false);
  assert.equal(client.pending.events, 10);
  open();
  assert.equal((await (await eleventh).outcome).status, "enqueued");
});

test("while one DID waits the others go on", async (t) => {
  const { opened, open } = opening();
  const arrival = opening();
  const [slow, quick] = [someone(), someone()];
  const plan = ({ events }: Seen): Fault => {
    arrival.open();
    return events[0]!.did === slow ? { kind: "hold", until: opened } : PASS;
  };
  const { client, proxy } = await through(t, plan, { linger: 0 });
  const held = await client.send(record(slow, 0));
  await arrival.opened;
  const behind = await client.send(record(slow, 1));
  assert.equal((await (await client.send(record(quick, 0))).outcome).status, "enqueued");
  assert.equal(proxy.seen.filter(({ events }) => events[0]!.did === slow).length, 1);
  open();
  assert.deepEqual(await Promise.all([held.outcome, behind.outcome].map(async (o) => (await o).status)), [
    "enqueued",
    "enqueued",
  ]);
});

test("when the answer is lost the repeat is a duplicate, for an event without a name too", async (t) => {
  const { client } = await through(t, (_, index) => (index === 0 ? { kind: "lose" } : PASS));
  const sent = [await client.send(record(someone(), 0)), await client.send(nameless(someone(), 0))];
  const odd = await client.send(record(someone(), 0, { payload: { uri: "at://x", odd: "\0" } }));
  const statuses = await Promise.all([...sent, odd].map(async ({ outcome }) => (await outcome).status));
  assert.deepEqual(statuses, ["duplicate", "duplicate", "duplicate"]);
});

for (const status of [429, 503]) {
  test(`${status} is tried again, no sooner than Retry-After says`, async (t) => {
    const busy: Fault = { kind: "answer", status, headers: { "Retry-After": "1" } };
    const { client, proxy, troubles } = await through(t, (_, index) => (index === 0 ? busy : PASS));
    assert.equal((await (await client.send(record(someone(), 0))).outcome).status, "enqueued");
    assert.ok(proxy.seen[1]!.at - proxy.seen[0]!.at >= 999);
    assert.deepEqual(troubles.map((trouble) => [trouble.status, trouble.configuration]), [[status, false]]);
  });
}

test("answers that make no sense, failures and silence are tried again", async (t) => {
  const never = new Promise(() => undefined);
  const faults: Fault[] = [
    { kind: "answer", status: 202, body: "<html>" },
    { kind: "answer", status: 207, body: '{"results": []}' },
    { kind: "answer", status: 500 },
    { kind: "cut" },
    { kind: "hold", until: never },
  ];
  const { client, troubles } = await through(t, (_, index) => faults[index] ?? PASS, { timeout: 500 });
  assert.equal((await (await client.send(record(someone(), 0))).outcome).status, "enqueued");
  assert.deepEqual(troubles.map(({ status }) => status), [202, 207, 500, null, null]);
});

test("what is no event is handed over with the reason, and the others arrive", async (t) => {
  const { client, rejected } = await through(t, () => PASS);
  const did = someone();
  const bad = { ...record(did, 1), did: "alice" };
  const large = record(did, 2, { payload: { uri: "at://x", text: "x".repeat(70_000) } });
  const sent = await Promise.all([record(did, 0), bad, large, record(did, 3)].map((event) => client.send(event)));
  const statuses = await Promise.all(sent.map(async ({ outcome }) => (await outcome).status));
  assert.deepEqual(statuses, ["enqueued", "rejected", "rejected", "enqueued"]);
  const reasons = rejected.map(({ problem, event }) => [problem.status, problem.field, event] as const);
  assert.deepEqual(
    reasons.sort(([one], [other]) => one - other),
    [
      [400, "did", bad],
      [413, "payload", large],
    ],
  );
});

test("an id of the caller's that is taken by another content is handed over", async (t) => {
  const { client, rejected } = await through(t, () => PASS);
  const event: RhizEvent = { ...nameless(someone(), 0), event_id: crypto.randomUUID() };
  await plainly(event);
  const { outcome } = await client.send({ ...event, payload: { n: 1 } });
  assert.equal((await outcome).status, "rejected");
  assert.equal(rejected[0]!.problem.status, 409);
});

test("only what is temporarily refused is sent again, with the later ones of its DID, and the others go on", async (t) => {
  const [full, free] = [someone(), someone()];
  const error = { type: "urn:rhiz:problem:at-capacity", title: "", status: 503, detail: "full" };
  const partly = ({ events }: Seen): Fault => {
    const results = events.map(({ did }, index) =>
      did === full
        ? { index, status: "rejected", event_id: null, error }
        : { index, status: "enqueued", event_id: crypto.randomUUID(), error: null },
    );
    const body = JSON.stringify({ enqueued: 1, duplicates: 0, rejected: events.length - 1, results });
    return { kind: "answer", status: 207, headers: { "Retry-After": "1" }, body };
  };
  const { client, proxy } = await through(t, (seen, index) => (index === 0 ? partly(seen) : PASS));
  const first = [record(full, 0), record(free, 0), record(full, 1)];
  const [refused, taken] = await Promise.all(first.map((event) => client.send(event)));
  await taken!.outcome;
  const later = await client.send(record(full, 2));
  await (await client.send(record(free, 1))).outcome;
  assert.equal(proxy.seen.length, 2);
  assert.equal((await refused!.outcome).status, "enqueued");
  await later.outcome;
  assert.ok(proxy.seen[2]!.at - proxy.seen[0]!.at >= 999);
  const resent = proxy.seen.slice(2).flatMap(({ events }) => events.map((event) => event.payload["n"]));
  assert.deepEqual(resent, [0, 1, 2]);
});

test("a body that is too large for the server is sent in halves", async (t) => {
  const { client, proxy, rejected } = await through(t, () => PASS, { batchBytes: 50_000_000, linger: 50 });
  const text = "x".repeat(60_000);
  const events = Array.from({ length: 100 }, (_, n) => record(someone(), n, { payload: { n, text } }));
  const sent = await Promise.all(events.map((event) => client.send(event)));
  await client.flush();
  for (const { outcome } of sent) assert.equal((await outcome).status, "enqueued");
  assert.deepEqual(rejected, []);
  assert.ok(proxy.seen.length >= 3);
});

test("one event for which a whole batch is refused stands alone in the end", async (t) => {
  const did = someone();
  const plan = ({ events }: Seen): Fault =>
    events.some((event) => event.payload["n"] === 7) ? { kind: "answer", status: 400 } : PASS;
  const { client, rejected } = await through(t, plan);
  const sent = await Promise.all(Array.from({ length: 16 }, (_, n) => client.send(record(did, n))));
  const statuses = await Promise.all(sent.map(async ({ outcome }) => (await outcome).status));
  assert.deepEqual(statuses, statuses.map((_, n) => (n === 7 ? "rejected" : "enqueued")));
  assert.deepEqual(rejected.map(({ event }) => event.payload["n"]), [7]);
});

test("one event that ends every connection it is in keeps its own DID from going on, and nobody else", async (t) => {
  const guilty = someone();
  const plan = ({ events }: Seen): Fault => (events.some(({ did }) => did === guilty) ? { kind: "cut" } : PASS);
  const { client } = await through(t, plan);
  const bad = await client.send(record(guilty, 0));
  const others = await Promise.all(Array.from({ length: 40 }, (_, n) => client.send(record(someone(), n))));
  for (const { outcome } of others) assert.equal((await outcome).status, "enqueued");
  assert.equal(client.pending.events, 1);
  assert.deepEqual((await client.close(0)).map(({ did }) => did), [guilty]);
  assert.equal((await bad.outcome).status, "undelivered");
});

test("a wrong key is told as a mistake in the configuration, and nothing is lost", async () => {
  const { client, troubles } = connect({ key: "not-the-key" });
  const event = record(someone(), 0);
  const { outcome } = await client.send(event);
  assert.deepEqual(await client.close(500), [event]);
  assert.equal((await outcome).status, "undelivered");
  assert.equal(troubles.length, 1);
  assert.equal(troubles[0]!.status, 403);
  assert.ok(troubles[0]!.configuration && troubles[0]!.retryIn >= 30_000);
});

test("close delivers what is held, and takes nothing more", async (t) => {
  const { client } = await through(t, () => PASS, { linger: 60_000 });
  const { outcome } = await client.send(record(someone(), 0));
  assert.deepEqual(await client.close(), []);
  assert.equal((await outcome).status, "enqueued");
  await assert.rejects(client.send(record(someone(), 1)), ClosedError);
});

test("what close gives back can be sent again and is no second event", async (t) => {
  const { client } = await through(t, () => ({ kind: "lose" }), { bufferEvents: 2 });
  const event = nameless(someone(), 0);
  const named = await client.send(event);
  await client.send(nameless(someone(), 0));
  const waiting = client.send(record(someone(), 0));
  const left = client.close(300);
  await assert.rejects(waiting, ClosedError);
  const [first] = await left;
  assert.deepEqual(first, { ...event, event_id: named.eventId });
  assert.deepEqual(await plainly(first), { status: 200, event_id: named.eventId });
});

test("an event that is not delivered in time is handed over", async (t) => {
  const { client, rejected } = await through(t, () => ({ kind: "cut" }), { patience: 100 });
  const event = record(someone(), 0);
  assert.equal((await (await client.send(event)).outcome).status, "rejected");
  assert.deepEqual(rejected[0]!.event, event);
});

test("a rejected event keeps its place until onRejected is done with it", async (t) => {
  const { opened, open } = opening();
  const { client } = await through(t, () => PASS, { onRejected: () => opened });
  const { outcome } = await client.send({ ...record(someone(), 0), did: "alice" });
  await (await client.send(record(someone(), 0))).outcome;
  assert.equal(client.pending.events, 1);
  open();
  assert.equal((await outcome).status, "rejected");
  assert.equal(client.pending.events, 0);
});
