/** How a client is made: what it must know, and limits with their defaults. */
import type { Problem, RhizEvent } from "./event.js";

/** Something kept a request from being taken. The client tries again by itself; a human may have to mend it. */
export interface Trouble {
  readonly message: string;
  /** Of the answer; null where there was none. */
  readonly status: number | null;
  /** A wrong key, address or the like: no repeat can help until it is mended. Nothing is lost meanwhile. */
  readonly configuration: boolean;
  /** Milliseconds until the next try. */
  readonly retryIn: number;
}

export interface Options {
  /** Where rhiz is, such as `http://rhiz.internal:8000`. */
  readonly url: string;
  /** Sent as `X-Internal-Key`. */
  readonly key: string;
  /**
   * Is given each event that the server refuses for good, with the reason. The event keeps its place in the buffer until
   * this returns, so that it can be written down first.
   */
  readonly onRejected: (event: RhizEvent, problem: Problem) => void | Promise<void>;
  /** Is told of whatever delays delivery. Default: a line on standard error. */
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Headers of the next request, such as `traceparent` or `X-Request-ID`. */
  readonly headers?: () => Record<string, string>;
  /** Events in one request, 1 to 5,000. Default 500. */
  readonly batchEvents?: number;
  /** Bytes in one request. Default 4,000,000; the server's own limit is 5 MB. */
  readonly batchBytes?: number;
  /** Milliseconds that an event waits for others to share its request. Default 50. */
  readonly linger?: number;
  /** Requests under way at once. Default 4. */
  readonly requests?: number;
  /** Events held in memory until `send` waits. Default 10,000. */
  readonly bufferEvents?: number;
  /** Bytes held in memory until `send` waits. Default 64,000,000. */
  readonly bufferBytes?: number;
  /** Milliseconds until a request without an answer is tried again. Default 30,000. */
  readonly timeout?: number;
  /**
   * Milliseconds after which an event that could not be delivered goes to `onRejected`. Default: never. It may be in the
   * log all the same, where only the answer was lost.
   */
  readonly patience?: number;
}

const LIMITS = {
  batchEvents: { default: 500, min: 1, max: 5_000 },
  batchBytes: { default: 4_000_000, min: 1, max: Infinity },
  linger: { default: 50, min: 0, max: 60_000 },
  requests: { default: 4, min: 1, max: 100 },
  bufferEvents: { default: 10_000, min: 1, max: Infinity },
  bufferBytes: { default: 64_000_000, min: 1, max: Infinity },
  timeout: { default: 30_000, min: 1, max: 600_000 },
  patience: { default: Infinity, min: 0, max: Infinity },
} as const;

export type Limits = Record<keyof typeof LIMITS, number>;

/** The limits in `options`, with defaults. Throws RangeError for one that can't be. */
export function limitsOf(options: Options): Limits {
  const entries = Object.entries(LIMITS) as [keyof Limits, { default: number; min: number; max: number }][];
  const limits = entries.map(([name, limit]) => {
    const value = options[name] ?? limit.default;
    if (!(value >= limit.min && value <= limit.max)) {
      throw new RangeError(`${name}: ${value}; allowed: ${limit.min} to ${limit.max}`);
    }
    return [name, value] as const;
  });
  return Object.fromEntries(limits) as Limits;
}

/** The address that events are POSTed to. Throws TypeError if `url` is none. */
export function addressOf(url: string): string {
  const base = new URL(url);
  if (base.protocol !== "http:" && base.protocol !== "https:") {
    throw new TypeError(`url: ${url}; allowed: an http or https address`);
  }
  return `${base.origin}${base.pathname.replace(/\/+$/, "")}/internal/events`;
}
