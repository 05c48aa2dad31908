export { ClosedError, RhizClient, type Sent } from "./client.js";
export type { Outcome, Problem, RhizEvent } from "./event.js";
export { derivedId } from "./identity.js";
export type { Options, Trouble } from "./options.js";
