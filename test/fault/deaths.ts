/** A plugin process that is killed at each point of its life, as a source and as a sink. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Point } from "../fixtures/hostile/polite.ts";
import { bystanderTopic, FaultHost, linesOf } from "../harness/bystander.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Who is FAILED, and what its trace says beyond the signal. */
interface Death {
  readonly at: Point;
  readonly fails: "connector" | "task";
  readonly says?: RegExp;
}

/** Everybody's life up to Started. */
const beginning: readonly Death[] = [
  {
    at: "before-hello",
    fails: "connector",
    says: /^cannot start plugin \w+: .* before it said hello$/,
  },
  { at: "after-hello", fails: "connector" },
  { at: "on-welcome", fails: "connector" },
  { at: "on-start-connector", fails: "connector", says: /^cannot get StartConnector of \w+: / },
  { at: "on-task-configs", fails: "connector" },
  { at: "on-start-task", fails: "task", says: /^cannot get StartTask of \w+: / },
  { at: "after-task-hello", fails: "task" },
  { at: "before-started", fails: "task" },
  { at: "after-started", fails: "task" },
];
const middle: Record<Kind, readonly Point[]> = {
  source: ["in-batch", "after-batch", "on-acked", "on-committed"],
  sink: ["on-open", "after-opened", "on-put", "after-put-result", "on-flush", "after-flush-result"],
};
/** Nobody fails there: it was asked to stop, and starts again. */
const end: Record<Kind, readonly Point[]> = {
  source: ["on-drain", "after-drained", "on-stop", "after-stopped"],
  sink: ["on-close", "after-closed", "on-stop", "on-stop-connector", "on-shutdown"],
};

type Kind = "source" | "sink";

/** More than the lives before `on-committed` send, however late a log acknowledges: 20 batches of 10 each. */
const numbers = 3_000;
/** `points`: all, or those at which something was read, written or committed, or is about to be. */
export function testDeaths(place: LogPlace, points: "all" | "of the log"): void {
  const counted = place.nameOf("counted");
  let fault: FaultHost;
  before(async () => {
    fault = await FaultHost.start({
      place,
      plugins: [
        { name: "source", run: ["die", "source"] },
        { name: "sink", run: ["die", "sink"] },
      ],
    });
    await fault.create(counted, "org.apache.kafka.connect.file.FileStreamSinkConnector", {
      topics: place.nameOf("source"),
      file: join(fault.directory, "source.txt"),
    });
    await fault.running(counted);
  });
  after(() => fault.stop());

  for (const kind of ["source", "sink"] as const) {
    describe(`a ${kind} that is killed by SIGKILL`, () => {
      const connector = place.nameOf(kind);
      const dieAt = (point: Point | "nowhere") =>
        writeFile(join(fault.pluginPath, kind, "points"), point);

      before(async () => {
        await dieAt("before-hello");
        const answer = await fault.create(
          connector,
          `${kind}.${kind === "source" ? "Source" : "Sink"}`,
          {
            ...(kind === "source"
              ? { topic: place.nameOf("source"), count: `${numbers}`, "ahead.batches": "20" }
              : { topics: place.nameOf(bystanderTopic) }),
            file: join(fault.directory, "sink.txt"),
          },
        );
        assert.match(answer, /^cannot start plugin .* was killed by SIGKILL before it said hello$/);
      });

      const midlife = middle[kind].map((at): Death => ({ at, fails: "task" }));
      for (const { at, fails, says = /./ } of [
        ...(points === "all" ? beginning : []),
        ...midlife,
      ]) {
        test(`${at} fails its ${fails} with the reason`, () =>
          fault.during(async () => {
            await dieAt(at);
            await fault.restart(connector);
            const trace = await fault.failure(connector, fails);
            assert.match(trace, says);
            const [reason] = /plugin process \d+ \(\w+\) was killed by SIGKILL/.exec(trace) ?? [];
            assert.ok(reason !== undefined, trace);
            // The instances of one process share its end.
            if (fails === "task")
              assert.match(
                await fault.failure(connector, "connector"),
                new RegExp(reason.replace(/[()]/g, ".")),
              );
          }));
      }

      const [first = "nowhere"] = end[kind];
      test("has lost nothing when it runs again", () =>
        fault.during(
          async () => {
            await dieAt(first);
            await fault.restart(connector);
            await fault.running(connector);
            await arrivedWhole(kind);
          },
          { lives: "a plugin" },
        ));

      for (const [index, at] of end[kind].entries()) {
        test(`${at}, asked to stop, starts again all the same`, () =>
          fault.during(
            async () => {
              await dieAt(end[kind][index + 1] ?? "nowhere");
              const pid = await fault.host.pidOf(connector);
              await fault.stopAndResume(connector);
              assert.ok(!fault.processes().includes(pid), "it is another process now");
              // An end that was asked for is told at debug only.
              if (at !== "on-shutdown") {
                const died = `plugin process ${pid} (${kind}) was killed by SIGKILL`;
                const isTold = (line: string) => line.includes(died);
                await waitFor(() => fault.host.log.some(isTold), { withinMs: 20_000, what: died });
              }
              await arrivedWhole(kind);
              if (index + 1 === end[kind].length) await fault.delete(connector);
            },
            { lives: "a plugin" },
          ));
      }
    });
  }

  /** First occurrences, in order and none missing. */
  async function arrivedWhole(kind: Kind): Promise<void> {
    const file = join(fault.directory, `${kind}.txt`);
    const wanted =
      kind === "source"
        ? Array.from({ length: numbers }, (_, index) => `${place.nameOf("source")}:${index + 1}`)
        : Array.from({ length: fault.linesWritten }, (_, index) => `line ${index + 1}`);
    const last = wanted.at(-1) as string;
    await waitFor(async () => (await linesOf(file)).includes(last), {
      withinMs: 20_000,
      what: `${last} to arrive`,
    });
    const arrived = [...new Set(await linesOf(file))];
    assert.deepEqual(arrived.slice(0, wanted.length), wanted);
  }
}
