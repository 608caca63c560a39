/** Addresses the REST server listens on, and the one it tells others. */
import { hostname } from "node:os";

export interface Listener {
  readonly protocol: "http" | "https";
  /** Empty: every interface. */
  readonly host: string;
  readonly port: number;
}

/** What a worker file says about the address that others reach this worker by. */
export interface Advertised {
  readonly hostName: string | undefined;
  readonly port: number | undefined;
  readonly listener: "http" | "https" | undefined;
}

const syntax = /^(.*):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$/;

/** One entry of `listeners`, or the reason it cannot be used. */
export function parseListener(text: string): Listener | string {
  const match = syntax.exec(text);
  if (!match) return `${text} is not an address such as http://0.0.0.0:8083`;
  const [, scheme = "", host = "", port = ""] = match;
  const protocol = scheme.toLowerCase();
  if (protocol !== "http" && protocol !== "https") return `${text} is neither http nor https`;
  const number = Number(port);
  if (number < 0 || number > 65_535) return `${text} has no port from 0 to 65535`;
  return { protocol, host, port: number };
}

/** The `host:port` that statuses name as worker id. */
export function workerId(
  listeners: readonly Listener[],
  advertised: Advertised,
  boundPort?: number,
): string {
  const scheme =
    advertised.listener ?? (listeners.some((each) => each.protocol === "http") ? "http" : "https");
  const listener = listeners.find((each) => each.protocol === scheme) ?? listeners[0];
  const listenerHost = listener?.host === "" ? hostname() : listener?.host;
  const host = advertised.hostName ?? listenerHost ?? hostname();
  return `${host}:${advertised.port ?? boundPort ?? listener?.port ?? 0}`;
}
