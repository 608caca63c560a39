/** Where brokers listen, as `bootstrap.servers` and the cluster itself say. */
import { ConfigError } from "../../base/error.ts";

/** A broker of the cluster, or one of `bootstrap.servers` whose number nobody knows yet. */
export interface BrokerAddress {
  readonly node: number | undefined;
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:9092`, `[::1]:9092`. */
export function hostPort({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** As it stands in messages: `broker 2 (127.0.0.1:9092)`. */
export function brokerName(address: BrokerAddress): string {
  const place = hostPort(address);
  return address.node === undefined
    ? `the broker at ${place}`
    : `broker ${address.node} (${place})`;
}

/** `host:port` or `[IPv6]:port`, perhaps behind a listener's name as in `PLAINTEXT://host:port`. */
const server = /^(?:[a-z0-9_-]+:\/\/)?(?:\[([0-9a-f:.%a-z]+)\]|([^\s:[\]/]+)):(\d{1,5})$/i;

/** @throws ConfigError naming each entry that cannot be read */
export function parseBootstrapServers(servers: readonly string[]): readonly BrokerAddress[] {
  const entries = servers.flatMap((text) => text.split(",")).map((text) => text.trim());
  const wanted = entries.filter((text) => text !== "");
  const addresses = wanted.map(parseServer);
  const wrong = wanted.filter((_, index) => addresses[index] === undefined);
  if (wrong.length > 0 || wanted.length === 0) {
    const what = wrong.length > 0 ? `${wrong.join(", ")} is no address` : "no broker is named";
    throw new ConfigError("config.invalid", `cannot use bootstrap.servers: ${what}`, {
      problems: [{ key: "bootstrap.servers", message: what }],
      hint: "write host:port, or [address]:port for IPv6, with commas between them",
    });
  }
  return addresses.filter((address) => address !== undefined);
}

function parseServer(text: string): BrokerAddress | undefined {
  const [, ipv6, name, digits] = server.exec(text) ?? [];
  const port = Number(digits);
  const host = ipv6 ?? name;
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { node: undefined, host, port };
}
