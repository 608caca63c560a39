/**
 * The only file that knows kafkajs 2.2.4. It connects and logs in with kafkajs' own code and then takes
 * the socket over; what it touches inside is pinned by test/kafka/kafkajs-contract.test.ts. kafkajs'
 * cluster, producer, consumer, admin and retrier are not used.
 */
import { createRequire } from "node:module";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { deferred } from "../base/deferred.ts";
import type { Transport } from "./calls.ts";
import type { Dialled, RawSend } from "./connection/broker-connection.ts";
import type { Dial, DialOptions } from "./connection/broker-lane.ts";
import { connectError, hangUpHint } from "./connection/connect-error.ts";
import { LiveTransport, type TransportOptions } from "./connection/live-transport.ts";
import { SocketInput } from "./connection/socket-input.ts";
import type { ClientSecurity } from "./security/client-security.ts";

const load = createRequire(import.meta.url);
const KafkajsBroker = load("kafkajs/src/broker") as KafkajsBrokerClass;
const ConnectionPool = load("kafkajs/src/network/connectionPool") as ConnectionPoolClass;
const SaslAuthenticator = load("kafkajs/src/broker/saslAuthenticator") as SaslAuthenticatorClass;

/** Probes of a connection that carries nothing, as often as kafkajs sends them. */
const keepAliveMs = 60_000;

/**
 * Connects to a cluster and learns its brokers.
 * @throws ConfigError for settings that cannot be used; TaskError `kafka.authentication_failed`,
 *   `kafka.version_unsupported`; RetriableError when no broker answered in `default.api.timeout.ms`
 */
export function createTransport(options: TransportOptions): Promise<Transport> {
  return LiveTransport.open(options, dialAs);
}

/** kafkajs' way to a broker for one user. */
export function dialAs(security: ClientSecurity): Dial {
  return async (options) => {
    options.signal.throwIfAborted();
    const attempt = new Attempt(options, security);
    const deadlineMs = options.setupTimeoutMs + options.requestTimeoutMs;
    const timer = setTimeout(() => attempt.giveUp(setupTimeout(deadlineMs)), deadlineMs);
    const abort = () => attempt.giveUp(options.signal.reason as Error);
    options.signal.addEventListener("abort", abort, { once: true });
    try {
      return await attempt.run();
    } catch (error) {
      attempt.giveUp(error as Error);
      options.signal.throwIfAborted();
      throw connectError(attempt.cause ?? error, options.address, security);
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", abort);
    }
  };
}

/** One try to connect and log in. */
class Attempt {
  /** What the socket itself said, which kafkajs would repeat with less detail. */
  cause: Error | undefined;
  readonly #options: DialOptions;
  readonly #security: ClientSecurity;
  readonly #pool: KafkajsPool;
  readonly #failed = deferred<never>();
  readonly #input = new SocketInput();
  #socket: Socket | undefined;
  #ownListeners: Map<string, unknown[]> = new Map();

  constructor(options: DialOptions, security: ClientSecurity) {
    const { address, clientId, setupTimeoutMs, requestTimeoutMs } = options;
    this.#options = options;
    this.#security = security;
    this.#pool = new ConnectionPool({
      host: address.host,
      port: address.port,
      clientId,
      ssl: security.tls ?? null,
      sasl: saslOptions(security),
      logger: silence,
      connectionTimeout: setupTimeoutMs,
      requestTimeout: requestTimeoutMs,
      socketFactory: (wanted) => this.#connect(wanted.onConnect),
    });
    // It would wake every millisecond for ever; there is nothing to do while nothing is pending.
    const queue = this.#pool.pool[0].requestQueue;
    const schedule = queue.scheduleCheckPendingRequests.bind(queue);
    queue.scheduleCheckPendingRequests = () => {
      if (queue.pending.length > 0) schedule();
    };
  }

  async run(): Promise<Dialled> {
    const broker = new KafkajsBroker({ connectionPool: this.#pool, logger: silence });
    const connected = broker.connect();
    // When the attempt is given up, kafkajs notices in its own time.
    connected.catch(() => {});
    await Promise.race([connected, this.#failed.promise]);
    const [connection] = this.#pool.pool;
    const socket = this.#takeOver();
    if (socket.destroyed) throw this.cause ?? new Error("the broker closed the connection");
    const { versions } = broker;
    return {
      socket,
      input: this.#input,
      versions: new Map(
        Object.entries(versions).map(([key, { minVersion, maxVersion }]) => [
          Number(key),
          { min: minVersion, max: maxVersion },
        ]),
      ),
      sessionMs: connection.sessionLifetime.toNumber(),
      reauthenticate: (send) => this.#reauthenticate(versions, send),
      hangUpHint: hangUpHint(this.#security),
    };
  }

  /** Ends the try; kafkajs alone would leave a socket that is still connecting to the system. */
  giveUp(error: Error): void {
    this.#failed.reject(error);
    this.#socket?.destroy();
    this.#pool.pool[0].requestQueue.destroy();
  }

  #connect(onConnect: () => void): Socket {
    const { host, port } = this.#options.address;
    const { tls } = this.#security;
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const target = { host, port, onread: this.#input.onread };
    const socket =
      tls === undefined
        ? connectTcp(target, onConnect)
        : connectTls({ ...target, ...servername, ...tls }, onConnect);
    this.#input.attach(socket);
    socket.setKeepAlive(true, keepAliveMs);
    socket.setNoDelay(true);
    socket.on("error", (error) => {
      this.cause ??= error;
    });
    // kafkajs does not listen to it: a socket that closes without an error would be waited for.
    socket.on("close", () => this.#failed.reject(this.cause ?? new Error("Closed connection")));
    this.#socket = socket;
    this.#ownListeners = new Map(watched.map((event) => [event, socket.listeners(event)]));
    return socket;
  }

  /** Takes kafkajs' listeners and timers off the socket: from here on the frames are ours. */
  #takeOver(): Socket {
    const socket = this.#socket;
    if (socket === undefined) throw new Error("kafkajs made no socket");
    for (const event of watched) {
      const own = this.#ownListeners.get(event) ?? [];
      for (const listener of socket.listeners(event)) {
        if (!own.includes(listener)) socket.off(event, listener as () => void);
      }
    }
    this.#pool.pool[0].requestQueue.destroy();
    return socket;
  }

  /** kafkajs' own SASL over whatever carries the requests now. */
  async #reauthenticate(versions: KafkajsVersions, send: RawSend): Promise<number> {
    const { address } = this.#options;
    const login = {
      host: address.host,
      port: address.port,
      sasl: saslOptions(this.#security),
      async send({ request, response }: KafkajsRequest) {
        const { apiKey: key, apiName: name, apiVersion: version } = request;
        const { buffer: body } = await request.encode();
        const answer = await send({ key, name, version, body });
        return response.parse(await response.decode(Buffer.from(answer)));
      },
    };
    const authenticator = new SaslAuthenticator(login, silence, versions, true);
    try {
      await authenticator.authenticate();
    } catch (error) {
      throw connectError(error, address, this.#security);
    }
    return Number(authenticator.sessionLifetime);
  }
}

const watched = ["data", "end", "error", "timeout"] as const;

function saslOptions({ sasl }: ClientSecurity): KafkajsSasl | null {
  if (sasl === undefined) return null;
  const { mechanism, username, password } = sasl;
  return { mechanism, username, password: password.reveal() };
}

function setupTimeout(ms: number): Error {
  return Object.assign(new Error(`no connection within ${ms} ms`), { code: "SETUP_TIMEOUT" });
}

/** What kafkajs says is said again, where it is decided on, by the errors of this driver. */
const silence: KafkajsLogger = {
  namespace: () => silence,
  debug() {},
  info() {},
  warn() {},
  error() {},
};

interface KafkajsLogger {
  namespace(): KafkajsLogger;
  debug(): void;
  info(): void;
  warn(): void;
  error(): void;
}

interface KafkajsSasl {
  mechanism: string;
  username: string;
  password: string;
}

type KafkajsVersions = Record<string, { minVersion: number; maxVersion: number }>;

interface KafkajsRequest {
  request: {
    apiKey: number;
    apiName: string;
    apiVersion: number;
    encode(): Promise<{ buffer: Buffer }>;
  };
  response: { decode(bytes: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> };
}

interface KafkajsConnection {
  sessionLifetime: { toNumber(): number };
  requestQueue: { pending: unknown[]; scheduleCheckPendingRequests(): void; destroy(): void };
}

interface KafkajsPool {
  pool: [KafkajsConnection, KafkajsConnection];
}

type ConnectionPoolClass = new (options: {
  host: string;
  port: number;
  clientId: string;
  ssl: ConnectionOptions | null;
  sasl: KafkajsSasl | null;
  logger: KafkajsLogger;
  connectionTimeout: number;
  requestTimeout: number;
  socketFactory(wanted: { onConnect: () => void }): Socket;
}) => KafkajsPool;

type KafkajsBrokerClass = new (options: {
  connectionPool: KafkajsPool;
  logger: KafkajsLogger;
}) => { versions: KafkajsVersions; connect(): Promise<void> };

type SaslAuthenticatorClass = new (
  connection: unknown,
  logger: KafkajsLogger,
  versions: KafkajsVersions,
  supportsAuthenticate: boolean,
) => { sessionLifetime: string; authenticate(): Promise<void> };
