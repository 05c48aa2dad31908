/**
 * An indexer for tests/clients: sends numbered events of a few DIDs as fast as the client takes them, and writes a line
 * each time another tenth has its outcome, then how many had which.
 *
 *     node build/test/firehose.js EVENTS SEED
 */
import { connect, nameless, randomOf, record } from "./server.js";

const DIDS = 40;

const events = Number(process.argv[2]);
const random = randomOf(Number(process.argv[3]));
const { client, rejected } = connect({ batchEvents: 50, bufferEvents: 200, timeout: 5_000 });
const counts = new Map<string, number>();
const outcomes: Record<string, number> = {};
let settled = 0;

for (let i = 0; i < events; i += 1) {
  const did = `did:firehose:${Math.floor(DIDS * random() ** 2)}`;
  const n = counts.get(did) ?? 0;
  counts.set(did, n + 1);
  const { outcome } = await client.send(random() < 0.5 ? record(did, n) : nameless(did, n));
  void outcome.then(({ status }) => {
    outcomes[status] = (outcomes[status] ?? 0) + 1;
    settled += 1;
    if (settled % (events / 10) === 0) console.log("tenth");
  });
}
const undelivered = await client.close(60_000);
console.log(JSON.stringify({ outcomes, rejected: rejected.length, undelivered: undelivered.length }));
