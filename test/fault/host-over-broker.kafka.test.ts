/**
 * A whole host and what befalls its broker, its plugins and itself, one after the other under the same
 * load. At the end the records are counted; each failure that a user sees is looked at.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { beginHost, type HostProcess, temporaryDirectory } from "../harness/host-process.ts";
import { type Broker, reserveBroker } from "../harness/kafka/broker.ts";
import { type GroupRoom, openGroupRoom } from "../harness/kafka/group-room.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { saslUsers } from "../harness/kafka/sasl-users.ts";
import { askScramUser } from "../harness/kafka/steer-broker.ts";
import { waitFor } from "../harness/wait-for.ts";
import { flowWorker, NumberedFlow } from "./numbered-flow.ts";

const { missing } = await kafkaJars();
const withinMs = 120_000;

const brokerConfig = {
  "auto.create.topics.enable": "false",
  "group.initial.rebalance.delay.ms": "0",
  // Logins end often, so that one whose password has changed is noticed.
  "connections.max.reauth.ms": "4000",
};

function workerOver(broker: Broker): Record<string, string> {
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
  return {
    ...flowWorker,
    "bootstrap.servers": broker.secureBootstrap("SASL_PLAINTEXT"),
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config": `${scram} required username="bob" password="${saslUsers.bob}";`,
    "consumer.session.timeout.ms": "6000",
    "consumer.heartbeat.interval.ms": "1000",
    // Shorter than the broker is away.
    "consumer.default.api.timeout.ms": "2000",
    // For a topic that is gone.
    "producer.max.block.ms": "5000",
  };
}

describe("a host over a broker", { skip: missing ?? false }, () => {
  let broker: Broker;
  let host: HostProcess;
  let room: GroupRoom;
  let flow: NumberedFlow;
  let directory: string;
  let failed: string | undefined;
  const undo: (() => Promise<void>)[] = [];

  before(async () => {
    directory = await temporaryDirectory({ after: (work) => undo.push(work) });
    broker = await reserveBroker({ secure: true, config: brokerConfig });
    undo.push(() => broker.stop());
    const offsets = { "offset.storage.file.filename": `${directory}/offsets` };
    host = await beginHost({ directory, worker: { ...workerOver(broker), ...offsets } });
    undo.push(async () => host.kill());
  });
  after(async () => {
    for (const work of undo.reverse()) await work();
  });

  /** What is missing for the host to be ready; "" when nothing is. */
  async function lacking(): Promise<string> {
    const { status, body } = await host.request("GET", "/bulkhead/ready");
    assert.equal(status === 200, body.missing.length === 0);
    return body.missing.map((each: object) => JSON.stringify(each)).join();
  }

  async function ready(): Promise<void> {
    await waitFor(async () => (await lacking()) === "", { withinMs, what: "ready" });
  }

  /** The first reason it has need not be the one that stays. */
  async function lacks(reason: RegExp): Promise<void> {
    let seen = "";
    const isIt = async () => {
      seen = await lacking();
      return reason.test(seen);
    };
    await waitFor(isIt, { withinMs, what: `${reason}` }).catch((error: Error) => {
      throw new Error(`${error.message}, not ${seen}`);
    });
  }

  function logged(pattern: RegExp, from = 0): Promise<void> {
    return waitFor(() => host.log.slice(from).some((line) => pattern.test(line)), {
      withinMs,
      what: `${pattern} in the log`,
    });
  }

  /** Each goes on where the one before has ended well. */
  function step(name: string, work: () => Promise<void>): void {
    test(name, async (t) => {
      if (failed !== undefined) return t.skip(`this did not work: ${failed}`);
      failed = name;
      await work();
      failed = undefined;
    });
  }

  const setPassword = (password: string) =>
    askScramUser(broker.ports.internal, "bob", "SCRAM-SHA-512", password);

  step(
    "waits for a broker that comes late, says for which and why, and is ready then",
    async () => {
      const address = broker.secureBootstrap("SASL_PLAINTEXT");
      await logged(/no broker answers yet: .*ECONNREFUSED/);
      assert.ok(host.log.some((line) => line.includes(address)));
      await broker.start();
      await host.isUp(withinMs);
      await ready();
      assert.equal((await host.request("GET", "/health")).status, 200);
      room = await openGroupRoom(broker.direct);
      undo.push(() => room.close());
      flow = new NumberedFlow(host, room.admin, directory);
      await flow.start();
    },
  );

  step(
    "goes on under load after its broker was killed; meanwhile it is healthy and not ready",
    async () => {
      await broker.kill();
      await lacks(/"part":"log".*(127\.0\.0\.1:\d+|did not answer)/);
      assert.equal((await host.request("GET", "/health")).status, 200);
      assert.deepEqual(await flow.states(), ["RUNNING", "RUNNING", "RUNNING"]);
      await broker.start();
      await ready();
      await flow.flows(2_000);
      assert.deepEqual(await flow.states(), ["RUNNING", "RUNNING", "RUNNING"]);
    },
  );

  step(
    "one of two sink tasks takes all when the other's plugin is killed, and shares again",
    async () => {
      const sinkTask = async (task: number) =>
        (await flow.tasksOf(flow.sink)).find((one) => one.task === task);
      const [first, second] = [await sinkTask(0), await sinkTask(1)];
      assert.ok(first?.pid && second?.pid && first.pid !== second.pid, "two tasks, two processes");
      process.kill(second.pid, "SIGKILL");
      assert.match(await flow.traceOf(flow.sink, 1), /SIGKILL/);
      await flow.flows(1_000);
      assert.deepEqual(await flow.states(), ["RUNNING", "RUNNING", "FAILED"]);
      await flow.restartFailed();
      await waitFor(async () => ((await sinkTask(1))?.metrics["sink-record-send-total"] ?? 0) > 0, {
        withinMs,
        what: "records in the task that is back",
      });
      await flow.caughtUp();
    },
  );

  step(
    "stopped for longer than its session it is thrown out of the group, says so and comes back",
    async () => {
      const group = `connect-${flow.sink}`;
      const from = host.log.length;
      process.kill(host.pid, "SIGSTOP");
      try {
        await waitFor(async () => (await room.groupState(group)) === "Empty", {
          withinMs,
          everyMs: 100,
          what: "the group to lose its members",
        });
      } finally {
        process.kill(host.pid, "SIGCONT");
      }
      await logged(/UNKNOWN_MEMBER_ID.*thrown out of its group/, from);
      await flow.flows(1_000);
      await flow.running();
    },
  );

  step("after all that the topic has each number once, and all have arrived", async () => {
    assert.equal(await flow.countsAgree(), 0);
    await flow.resume();
    await flow.flows(1);
  });

  step(
    "a topic that is deleted fails its source and not its sink; made again, both go on",
    async () => {
      const from = host.log.length;
      await room.admin.deleteTopic(flow.topic);
      const trace = await flow.traceOf(flow.source);
      assert.match(trace, new RegExp(`topic ${flow.topic}: it was deleted`));
      assert.match(trace, /UNKNOWN_TOPIC_OR_PARTITION/);
      assert.deepEqual(await flow.states(), ["FAILED", "RUNNING", "RUNNING"]);
      const told = new RegExp(`connect-${flow.sink}.*${flow.topic}.*UNKNOWN_TOPIC_OR_PARTITION`);
      await logged(told, from);
      await flow.countAnew();
      await flow.makeTopic();
      await flow.restartFailed();
      await flow.flows(1_000);
      assert.ok((await flow.countsAgree()) > 0, "the source goes on where it was");
      await flow.resume();
    },
  );

  step(
    "a password that is changed fails the tasks in words; changed back, they can be restarted",
    async () => {
      await setPassword("changed");
      for (const [name, task] of [
        [flow.source, 0],
        [flow.sink, 0],
        [flow.sink, 1],
      ] as const) {
        const trace = await flow.traceOf(name, task);
        assert.match(trace, /cannot connect to .*127\.0\.0\.1:\d+.*[Aa]uthentication failed/s);
        assert.match(trace, /look at the user and the password in sasl\.jaas\.config/);
      }
      await lacks(/[Aa]uthentication failed/);
      assert.equal((await host.request("GET", "/health")).status, 200);
      await setPassword(saslUsers.bob);
      await ready();
      await flow.restartFailed();
      await flow.flows(1_000);
      await flow.countsAgree();
      assert.equal(await host.stop(), 0);
      assert.ok(!host.log.some((line) => line.includes(saslUsers.bob)), "no password is logged");
    },
  );
});
