import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/harness/fake-clock.ts";
import { LogLines } from "../../test/harness/raw-plugin.ts";
import { Liveness, livenessLimits } from "./liveness.ts";
import { ProcessWatch, sizeText, type Watched } from "./process-watch.ts";

const mib = 1_024 * 1_024;

/** A process that answers or not, and keeps what it was killed for. */
class Subject implements Watched {
  readonly pid: number;
  readonly logger: LogLines["logger"];
  readonly killed: string[] = [];
  liveness: Liveness | undefined;

  constructor(pid: number, logger: LogLines["logger"], liveness?: Liveness) {
    this.pid = pid;
    this.logger = logger;
    this.liveness = liveness;
  }

  async kill(reason: string): Promise<void> {
    this.killed.push(reason);
    this.liveness = undefined;
  }
}

function watching(timeoutMs: number, memory?: { bytesMax: number; used: Map<number, number> }) {
  const clock = new FakeClock();
  const log = new LogLines();
  const liveness = livenessLimits(5_000, timeoutMs);
  const watch = new ProcessWatch({
    clock,
    logger: log.logger,
    liveness,
    memoryBytesMax: memory?.bytesMax ?? 0,
    readMemory: memory && (async () => memory.used),
  });
  const subject = (pid: number) =>
    new Subject(pid, log.logger, new Liveness(liveness, clock.elapsedMs()));
  /** Ticks, one after the other, with time for what follows from each. */
  const pass = async (seconds: number, each: () => void = () => {}) => {
    for (let second = 0; second < seconds; second += 1) {
      clock.pass(1_000);
      each();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const told = (text: string) => log.lines.filter(({ msg }) => String(msg).includes(text)).length;
  return { clock, watch, subject, pass, told };
}

test("silence is told once, its end once, and the kill names both its time and the key", async () => {
  const { clock, watch, subject, pass, told } = watching(120_000);
  const [silent, steady] = [subject(1), subject(2)];
  const remove = [watch.add(silent), watch.add(steady)];
  const steadyBeats = () => steady.liveness?.heard(clock.elapsedMs());
  await pass(40, steadyBeats);
  assert.equal(told("is stalled"), 1);
  silent.liveness?.heard(clock.elapsedMs());
  await pass(40, steadyBeats);
  assert.deepEqual([told("heartbeats again"), told("is stalled")], [1, 2]);
  await pass(79, steadyBeats);
  assert.deepEqual(silent.killed, []);
  const since = new Date(clock.nowMs() - 119_000).toISOString();
  await pass(10, steadyBeats);
  assert.deepEqual(silent.killed, [
    `it has sent no heartbeat since ${since}, 120000 ms ago: longer than plugin.heartbeat.timeout.ms=120000`,
  ]);
  assert.deepEqual(steady.killed, []);
  for (const one of remove) one();
  assert.deepEqual(clock.sleepsMs, []);
});

test("whoever uses too much memory is killed, and nobody who is gone by then", async () => {
  const used = new Map([
    [1, 312 * mib],
    [2, 256 * mib],
    [3, 999 * mib],
  ]);
  const { watch, subject, pass } = watching(0, { bytesMax: 256 * mib, used });
  const [large, allowed, gone] = [subject(1), subject(2), subject(3)];
  watch.add(large);
  watch.add(allowed);
  const remove = watch.add(gone);
  await pass(1, () => queueMicrotask(remove));
  assert.deepEqual(large.killed, [
    "it used 312 MiB of memory, more than plugin.memory.bytes.max=268435456 (256 MiB)",
  ]);
  assert.deepEqual([allowed.killed, gone.killed], [[], []]);
});

test("a memory limit without a way to know it is warned of at the start", () => {
  const log = new LogLines();
  const { watch: _, clock } = watching(0);
  const liveness = livenessLimits(5_000, 0);
  const { logger } = log;
  const options = { clock, logger, liveness, readMemory: undefined };
  new ProcessWatch({ ...options, memoryBytesMax: 0 });
  assert.equal(log.lines.length, 0);
  new ProcessWatch({ ...options, memoryBytesMax: 1 });
  assert.ok(log.find("plugin.memory.bytes.max has no effect: this system has no /proc"));
});

test("sizes are told as operators read them", () => {
  assert.equal(sizeText(312 * mib), "312 MiB");
  assert.equal(sizeText(2 * mib), "2048 KiB");
});
