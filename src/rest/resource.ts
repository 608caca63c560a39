/** What the parts of the REST API are made of; `server.ts` serves them. */
import type { Answer } from "./http-error.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A path and what may be done to it; any other method is a 405. */
export interface Resource {
  /** `/connectors/:name` */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<Method, Endpoint>>>;
}

export interface Endpoint {
  /** Its body is read, so one without Content-Type is a 415. */
  readonly readsBody?: boolean;
  /** Served before the herder is ready, and keeps its own time. */
  readonly always?: boolean;
  /** Media types it can answer with; JSON when it does not say. Errors are JSON for everyone. */
  readonly produces?: readonly string[];
  handle(call: Call): Promise<Answer>;
}

/** A request, as far as endpoints care. */
export interface Call {
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>;
  /** All values of a query parameter, in order. */
  readonly query: (name: string) => readonly string[];
  /** By its name in lower case. */
  readonly header: (name: "accept" | "last-event-id") => string | undefined;
  readonly body: Buffer | undefined;
  /** `http://host:port` as the client sees it. */
  readonly baseUrl: string;
}

/** Java's `Boolean.valueOf` of the first value: anything but "true" is false. */
export function queryFlag(call: Call, name: string): boolean {
  return call.query(name)[0]?.toLowerCase() === "true";
}

/** A path parameter that the route guarantees. */
export function param(call: Call, name: string): string {
  return call.params[name] ?? "";
}
