/** A gateway on a real socket whose plugins say anything: each stream ends in words, and no other one. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { createLogger } from "../../src/observe/logger.ts";
import { Gateway } from "../../src/plugin/gateway.ts";
import { DescribeRequestSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/config_pb.ts";
import {
  HelloSchema,
  HostMessageSchema,
  PluginMessageSchema,
} from "../../src/plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { SinkTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/sink_pb.ts";
import { SourceTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/source_pb.ts";
import { RemoteSink } from "../../src/plugin/remote-sink.ts";
import { RemoteSource } from "../../src/plugin/remote-source.ts";
import { Session } from "../../src/plugin/session.ts";
import { chosenSeed, rounds } from "../harness/property.ts";
import { randomFrom } from "../harness/random-data.ts";
import { waitFor } from "../harness/wait-for.ts";
import { damaged, pick, type Random, randomBytes } from "./random-message.ts";

type Stream = ClientDuplexStream<Buffer, Buffer>;

const messageBytesMax = 256 * 1_024;
const streamCount = 120;
const messagesEach = 12;
/** What a stream may end with: a rule that was broken, an end, or the failure that it told of. */
const words =
  /^the plugin broke the contract: .{10}|broke off$|closed its stream without Stopped$|without being asked/s;

interface World {
  readonly gateway: Gateway;
  readonly dial: (method: string) => Stream;
  readonly ended: string[];
  openSession(): Promise<{ stream: Stream; session: Session }>;
}

async function world(t: TestContext): Promise<World> {
  const gateway = await Gateway.open({
    messageBytesMax,
    windowBytes: 1_024 * 1_024,
    helloMsMax: 5_000,
    refuse: (call) => call.end(),
  });
  const client = new Client(gateway.address, credentials.createInsecure());
  t.after(async () => {
    client.close();
    await gateway.close();
  });
  const asIs = (bytes: Buffer) => bytes;
  const dial = (method: string) => {
    const path = `/bulkhead.plugin.v1.PluginHost/${method}`;
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(path, asIs, asIs);
    // How the host ends it is told by its status.
    stream.on("error", () => {});
    return stream;
  };
  const ended: string[] = [];
  const openSession = () =>
    new Promise<{ stream: Stream; session: Session }>((resolve) => {
      const stream = dial("Session");
      const { secret } = gateway.expectSession((call, hello) => {
        const session = new Session(call, hello, sessionOptions());
        void session.ended.then(() => ended.push("session"));
        resolve({ stream, session });
      });
      const hello = create(HelloSchema, { token: secret, protocolMin: 1, protocolMax: 1 });
      send(stream, PluginMessageSchema, { kind: { case: "hello", value: hello } });
    });
  return { gateway, dial, ended, openSession };
}

function sessionOptions(): ConstructorParameters<typeof Session>[2] {
  return {
    calls: {
      readOffsets: async (_connector, partitions) => partitions.map(() => null),
      requestTaskReconfiguration: () => {},
      raiseError: () => {},
    },
    owns: () => true,
    messageBytesMax,
    heartbeatMs: 5_000,
    logLevels: () => new Map(),
    hostName: "host",
    hostVersion: "0",
    logger: createLogger({ level: "silent" }),
    onLog: () => {},
    onHeartbeat: () => {},
    whyGone: async () => "it is gone",
  };
}

function send<S extends DescMessage>(stream: Stream, schema: S, init: MessageInitShape<S>): void {
  stream.write(Buffer.from(toBinary(schema, create(schema, init))));
}

/** Some messages that follow the schema and some that do not, and sometimes a sudden end. */
function babble(stream: Stream, schema: DescMessage, random: Random): void {
  for (let n = 0; n < messagesEach; n += 1) {
    const bytes = randomBytes(schema, random);
    stream.write(random() < 0.6 ? bytes : damaged(bytes, bytes, random));
  }
  if (random() < 0.3) stream.cancel();
  else stream.end();
}

/** A session that behaves, asked before and after. */
class Neighbour {
  readonly session: Session;

  constructor(stream: Stream, session: Session) {
    this.session = session;
    stream.on("data", (message: Buffer) => {
      const { kind } = fromBinary(HostMessageSchema, message);
      if (kind.case !== "request") return;
      const reply = { id: kind.value.id, kind: { case: "describe" as const, value: {} } };
      send(stream, PluginMessageSchema, { kind: { case: "reply", value: reply } });
    });
  }

  async answers(): Promise<void> {
    const value = create(DescribeRequestSchema);
    const reply = await this.session.request("describe", value, {
      connector: "",
      timeoutMs: 10_000,
    });
    assert.equal(reply.case, "describe");
  }
}

/** Runs `one` for each seed; the neighbour must answer all the time and the host stays small. */
async function each(t: TestContext, one: (w: World, random: Random) => Promise<void>) {
  const w = await world(t);
  const { stream, session } = await w.openSession();
  const neighbour = new Neighbour(stream, session);
  await neighbour.answers();
  const rssBefore = process.memoryUsage.rss();
  const first = chosenSeed();
  for (let seed = first; seed < first + streamCount * rounds(); seed += 1) {
    try {
      await one(w, randomFrom(seed));
      if (seed % 10 === 0) await neighbour.answers();
    } catch (error) {
      throw new Error(`BULKHEAD_SEED=${seed} makes this stream again`, { cause: error });
    }
  }
  await neighbour.answers();
  const grownMiB = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
  assert.ok(grownMiB < 256, `the host grew by ${grownMiB} MiB`);
}

test("whatever a session says, it ends or goes on, and another session answers", async (t) => {
  await each(t, async (w, random) => {
    const before = w.ended.length;
    const { stream, session } = await w.openSession();
    const requests = pick(random, [0, 1, 3]);
    for (let n = 0; n < requests; n += 1) {
      const value = create(DescribeRequestSchema);
      // It is answered, fails in words, or its session ends.
      session
        .request("describe", value, { connector: "a", timeoutMs: 30_000, atOnce: true })
        .catch((error: unknown) => assert.ok(error instanceof Error));
    }
    stream.resume();
    babble(stream, PluginMessageSchema, random);
    await waitFor(() => w.ended.length > before, { withinMs: 20_000, what: "the session's end" });
  });
});

for (const { name, method, schema } of [
  { name: "source", method: "SourceTask", schema: SourceTaskMessageSchema },
  { name: "sink", method: "SinkTask", schema: SinkTaskMessageSchema },
] as const) {
  test(`whatever a ${name} task says, its stream ends in words, and a session answers`, async (t) => {
    await each(t, async (w, random) => {
      const stream = w.dial(method);
      stream.resume();
      const reason = await new Promise<string>((resolve, reject) => {
        const options = { taskName: "a-0", messageBytesMax, whyGone: async () => undefined };
        const watch = (remote: RemoteSource | RemoteSink) => {
          remote.started.catch(() => {});
          void remote.ended.then(resolve);
        };
        const expected =
          name === "source"
            ? w.gateway.expectSource((call, hello) => {
                const remote = new RemoteSource(call, hello, { ...options, canonicalJson: true });
                remote.credit(1_000_000, 1_000_000_000);
                watch(remote);
              })
            : w.gateway.expectSink((call) => {
                const remote = new RemoteSink(call, options);
                remote.open([{ topic: "t", partition: 0, offset: 0 }]).catch(() => {});
                remote.flush([{ topic: "t", partition: 0, offset: 3 }]).catch(() => {});
                watch(remote);
              });
        const hello = { ticket: expected.secret };
        send(stream, schema as never, { kind: { case: "hello", value: hello } } as never);
        if (random() < 0.8)
          send(stream, schema as never, { kind: { case: "started", value: {} } } as never);
        babble(stream, schema, random);
        stream.once("status", () =>
          setTimeout(() => reject(new Error("no reason")), 20_000).unref(),
        );
      });
      assert.match(reason, words);
    });
  });
}

test("a stream that begins with anything but its hello is refused, and a session answers", async (t) => {
  await each(t, async (w, random) => {
    const method = pick(random, ["Session", "SourceTask", "SinkTask", "Stage"]);
    const stream = w.dial(method);
    stream.resume();
    const over = new Promise((resolve) => stream.once("status", resolve));
    const schema = pick(random, [PluginMessageSchema, SourceTaskMessageSchema]);
    babble(stream, schema, random);
    await over;
  });
});
