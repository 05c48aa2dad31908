/** An HTTP proxy before the real server that makes faults. */
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RhizEvent } from "../src/index.js";
import { URL_OF_RHIZ } from "./server.js";

/** What is done to one request. */
export type Fault =
  | { readonly kind: "pass" }
  /** The server never sees it. */
  | { readonly kind: "answer"; readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | { readonly kind: "cut" }
  /** The server has done it, the client never hears. */
  | { readonly kind: "lose" }
  /** It goes on when the promise resolves. */
  | { readonly kind: "hold"; readonly until: Promise<unknown> };

export interface Seen {
  readonly at: number;
  readonly events: readonly RhizEvent[];
  readonly headers: IncomingMessage["headers"];
}

export class FaultyProxy {
  readonly seen: Seen[] = [];
  /** DIDs that were in two requests at once. */
  readonly overlaps: string[] = [];
  /** The largest number of requests at once. */
  widest = 0;
  #server: Server;
  #underWay = new Map<Seen, Set<string>>();

  private constructor(private readonly plan: (seen: Seen, index: number) => Fault) {
    this.#server = createServer((incoming, response) => void this.#serve(incoming, response));
  }

  static async start(plan: (seen: Seen, index: number) => Fault): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(plan);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(incoming);
    const events = JSON.parse(body) as RhizEvent[];
    const seen = { at: performance.now(), events, headers: incoming.headers };
    this.#enter(seen);
    response.on("close", () => this.#underWay.delete(seen));
    const fault = this.plan(seen, this.seen.push(seen) - 1);
    if (fault.kind === "cut") {
      incoming.socket.destroy();
      return;
    }
    if (fault.kind === "answer") {
      this.#underWay.delete(seen);
      response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
      return;
    }
    if (fault.kind === "hold") await fault.until;
    await this.#forward(incoming, body, response, seen, fault.kind === "lose");
  }

  #enter(seen: Seen): void {
    const dids = new Set(seen.events.map((event) => event.did));
    for (const others of this.#underWay.values()) {
      this.overlaps.push(...[...dids].filter((did) => others.has(did)));
    }
    this.#underWay.set(seen, dids);
    this.widest = Math.max(this.widest, this.#underWay.size);
  }

  async #forward(incoming: IncomingMessage, body: string, response: ServerResponse, seen: Seen, lose: boolean) {
    const { host: _host, "transfer-encoding": _encoding, ...headers } = incoming.headers;
    const address = new URL(incoming.url ?? "/", URL_OF_RHIZ);
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        request(address, { method: "POST", headers: { ...headers, connection: "close" } }, resolve)
          .on("error", reject)
          .end(body);
      });
      const content = await read(answer);
      if (lose) {
        incoming.socket.destroy();
        return;
      }
      const { connection: _connection, "transfer-encoding": _coding, ...told } = answer.headers;
      this.#underWay.delete(seen);
      response.writeHead(answer.statusCode ?? 502, told).end(content);
    } catch {
      incoming.socket.destroy();
    }
  }
}

async function read(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
