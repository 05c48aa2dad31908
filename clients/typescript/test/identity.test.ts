/** Ids of the client's making are those of the real server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { derivedId, type RhizEvent } from "../src/index.js";
import { connect, nameless, plainly, record, someone } from "./server.js";

const strange = ["plain", 'quote " and \\ backslash', "tab\tnewline\nreturn\rform\fback\b", "\u001f\u007f", "ü 漢 🦋", "\u2028</script>"];
const moments = [
  "2026-11-01T12:00:00Z",
  "2026-11-01T12:00:00.1Z",
  "2026-11-01T12:00:00.123456789Z",
  "2026-11-01T12:00:00.000000Z",
  "2026-11-01T12:00:00+05:30",
  "2026-01-01T00:30:00.25+01:00",
  "0001-01-01T00:00:00Z",
  "2024-02-29T23:59:59.999999-09:00",
];
const named: RhizEvent[] = [
  ...strange.flatMap((text) => [
    record(someone(), 0, { payload: { uri: text, cid: text } }),
    record(someone(), 0, { payload: { uri: text } }),
  ]),
  ...moments.map((occurred_at) => record(someone(), 0, { rev: null, occurred_at })),
  record(someone(), 0, { payload: { uri: "at://x", cid: null } }),
  record(someone(), 0, { occurred_at: "2026-11-01T12:00:00Z" }),
];

test("a derived id is the one that the server derives", async () => {
  for (const event of named) {
    const { status, event_id } = await plainly(event);
    assert.equal(status, 202);
    assert.equal(derivedId(event), event_id, JSON.stringify(event));
  }
});

test("an event that was sent plainly is a duplicate when the client sends it, and the other way round", async () => {
  const { client } = connect();
  const { event_id } = await plainly(record(someone(), 0));
  assert.ok(event_id);
  for (const event of named) {
    const { eventId, outcome } = await client.send(event);
    assert.deepEqual(await outcome, { status: "duplicate", eventId });
  }
  const event = record(someone(), 1);
  const sent = await client.send(event);
  assert.equal((await sent.outcome).status, "enqueued");
  assert.deepEqual(await plainly(event), { status: 200, event_id: sent.eventId });
  await client.close();
});

test("where only the server can say the id, the outcome tells it, and a repeat is a duplicate", async () => {
  const { client } = connect();
  const leap = record(someone(), 0, { rev: null, occurred_at: "2016-12-31T23:59:60Z" });
  const linked = record(someone(), 0, { payload: { uri: "at://x", cid: { $link: "bafyreigh2akiscail" } } });
  for (const event of [leap, linked]) {
    const first = await client.send(event);
    assert.equal(first.eventId, null);
    const outcome = await first.outcome;
    assert.equal(outcome.status, "enqueued");
    assert.ok(outcome.eventId);
    assert.deepEqual(await (await client.send(event)).outcome, { ...outcome, status: "duplicate" });
  }
  await client.close();
});

test("a payload that the log can't hold has an id too, so that a repeat is a duplicate", async () => {
  const { client } = connect();
  const deep = JSON.parse("[".repeat(200) + "]".repeat(200)) as unknown;
  for (const odd of ["a NUL \0", "half a pair \ud800", deep]) {
    const event = record(someone(), 0, { payload: { uri: "at://x", odd } });
    const { eventId, outcome } = await client.send(event);
    assert.deepEqual(await outcome, { status: "enqueued", eventId });
    assert.deepEqual(await (await client.send(event)).outcome, { status: "duplicate", eventId });
  }
  await client.close();
});

test("a derived id is never a conflict, whatever else was changed", async () => {
  const { client, rejected } = connect();
  const event = record(someone(), 0);
  await (await client.send(event)).outcome;
  const changed = { ...event, payload: { ...event.payload, seen_by: "another reader" } };
  assert.equal((await (await client.send(changed)).outcome).status, "duplicate");
  assert.deepEqual(rejected, []);
  await client.close();
});

test("nothing is derived of an event without uri or moment", () => {
  assert.equal(derivedId(nameless("did:plc:alice", 0)), null);
  assert.equal(derivedId(record("did:plc:alice", 0, { rev: null })), null);
  assert.equal(derivedId(record("did:plc:alice", 0, { payload: { uri: "" } })), null);
});
