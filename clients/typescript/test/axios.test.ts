/** The plain call that an indexer makes without this package. */
import assert from "node:assert/strict";
import { test } from "node:test";
import axios, { type AxiosError } from "axios";
import type { Problem } from "../src/index.js";
import { KEY, record, someone, URL_OF_RHIZ } from "./server.js";

const url = `${URL_OF_RHIZ}/internal/events`;
const withKey = { headers: { "X-Internal-Key": KEY } };

async function refusal(request: Promise<unknown>): Promise<AxiosError<Problem>["response"] & object> {
  const error: unknown = await request.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(axios.isAxiosError<Problem>(error) && error.response);
  assert.match(String(error.response.headers["content-type"]), /^application\/problem\+json/);
  assert.equal(error.response.data.status, error.response.status);
  return error.response;
}

test("an event is enqueued, and a duplicate when it is sent again", async () => {
  const { event_type, payload, did, rev } = record(someone(), 0);
  const first = await axios.post(url, { event_type, payload, did, priority: 1, rev }, withKey);
  assert.equal(first.status, 202);
  assert.equal(first.data.status, "enqueued");
  const again = await axios.post(url, { event_type, payload, did, priority: 1, rev }, withKey);
  assert.equal(again.status, 200);
  assert.deepEqual(again.data, { status: "duplicate", event_id: first.data.event_id });
});

test("the four fields that an indexer sends are enough", async () => {
  const { event_type, payload, did } = record(someone(), 0);
  const answer = await axios.post(url, { event_type, payload, did, priority: 2 }, withKey);
  assert.equal(answer.status, 202);
});

test("unknown fields are ignored", async () => {
  const answer = await axios.post(url, { ...record(someone(), 0), cursor: 17, source: { relay: "a" } }, withKey);
  assert.equal(answer.status, 202);
});

test("a refused event is told as problem details, with the field and what it may be", async () => {
  const { status, data } = await refusal(axios.post(url, { ...record(someone(), 0), did: "alice" }, withKey));
  assert.equal(status, 400);
  assert.equal(data.type, "urn:rhiz:problem:not-an-event");
  assert.equal(data.field, "did");
  assert.ok(data.allowed);
});

test("an event_id with another content is a conflict", async () => {
  const event = { ...record(someone(), 0), event_id: crypto.randomUUID() };
  await axios.post(url, event, withKey);
  const { status, data } = await refusal(axios.post(url, { ...event, payload: {} }, withKey));
  assert.equal(status, 409);
  assert.equal(data.event_id, event.event_id);
});

test("without a key it is 401, with a wrong one 403", async () => {
  assert.equal((await refusal(axios.post(url, record(someone(), 0)))).status, 401);
  const wrong = { headers: { "X-Internal-Key": "not-the-key" } };
  assert.equal((await refusal(axios.post(url, record(someone(), 0), wrong))).status, 403);
});

test("a payload that is too large is 413, another media type 415", async () => {
  const large = record(someone(), 0, { payload: { text: "x".repeat(70_000) } });
  assert.equal((await refusal(axios.post(url, large, withKey))).status, 413);
  const asText = { headers: { ...withKey.headers, "Content-Type": "text/plain" } };
  assert.equal((await refusal(axios.post(url, "hello", asText))).status, 415);
});
