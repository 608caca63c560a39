/** What a process can do to itself, to its output and to its host beside the contract. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bystanderTopic, FaultHost, linesOf } from "../harness/bystander.ts";
import { waitFor } from "../harness/wait-for.ts";

const numbers = 200;
const names =
  "loop sigstop exit-0 memory crashes stubborn hung-put daemon no-output stdout-without-breaks stderr-without-breaks stdout-lines stderr-lines".split(
    " ",
  );

describe("a process that has a connector of its own", () => {
  let fault: FaultHost;
  before(async () => {
    fault = await FaultHost.start({
      plugins: names.map((name) => ({
        name,
        run: ["process", name],
        ...(name === "no-output" && { through: ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"] }),
      })),
      worker: {
        "plugin.heartbeat.interval.ms": "300",
        "plugin.heartbeat.timeout.ms": "3000",
        "plugin.memory.bytes.max": `${300 * 1_048_576}`,
        "restart.delay.ms": "50",
        "restart.attempts.max": "2",
      },
    });
    await fault.create("counted", "org.apache.kafka.connect.file.FileStreamSinkConnector", {
      topics: "counted",
      file: join(fault.directory, "counted.txt"),
    });
  });
  after(() => fault.stop());

  const killed = (why: string) =>
    new RegExp(`^(task .* is gone: )?plugin process \\d+ \\([\\w-]+\\) ${why}`);
  const failures: Record<string, RegExp> = {
    loop: killed(
      "was killed by the host: it has sent no heartbeat since [\\dT:.Z-]+, \\d+ ms ago: longer than plugin.heartbeat.timeout.ms=3000$",
    ),
    sigstop: killed("was killed by the host: it has sent no heartbeat since .*"),
    "exit-0": killed("exited with code 0$"),
    memory: killed(
      "was killed by the host: it used \\d+ MiB of memory, more than plugin.memory.bytes.max=314572800 \\(300 MiB\\)$",
    ),
  };
  for (const [name, says] of Object.entries(failures)) {
    test(`${name} fails connector and task with the reason, and nothing is lost`, () =>
      fault.during(async () => {
        await count(name);
        assert.match(await fault.failure(name, "connector"), says);
        assert.match(await fault.failure(name, "task"), says);
        await fault.restart(name);
        await allArrive(name);
        await fault.delete(name);
      }));
  }

  test("one that crashes at every start is given up, with its last lines on stderr", () =>
    fault.during(async () => {
      await fault.create("crashes", "crashes.Source", { "restart.policy": "on-failure" });
      let trace = "";
      await waitFor(
        async () => {
          trace = (await fault.status("crashes"))?.connector.trace ?? "";
          return trace.startsWith("failed 3 times within 10 min and was given up\n");
        },
        { withinMs: 20_000, everyMs: 100, what: "the host to give up" },
      );
      assert.match(
        trace,
        /exited with code 3 before it said hello; its last lines on stderr:\nopening the database\nno such host: database\.invalid$/,
      );
      await fault.delete("crashes");
    }));

  test("one that ignores Shutdown, the end of stdin and SIGTERM is killed", () =>
    fault.during(async () => {
      await count("stubborn");
      await allArrive("stubborn");
      await fault.delete("stubborn");
      await logged(/did not acknowledge Shutdown/);
      await logged(/ignores the end of stdin: SIGTERM/);
      await logged(/ignores SIGTERM: SIGKILL/);
      await logged(/was killed by the host: it did not end when asked to/);
    }));

  test("a put that never returns holds nobody but its own task, and nothing is lost", () =>
    fault.during(async () => {
      const file = join(fault.directory, "hung-put.txt");
      const config = { topics: bystanderTopic, file };
      await fault.create("hung-put", "hung-put.Sink", config);
      await logged(/put begins and does not return/);
      await fault.running("hung-put");
      await fault.delete("hung-put");
      await logged(/was killed by the host: task hung-put-0 did not finish its last put/);
      await fault.create("hung-put", "hung-put.Sink", config);
      const last = `line ${fault.linesWritten}`;
      await waitFor(async () => (await linesOf(file)).includes(last), {
        withinMs: 20_000,
        what: `${last} to arrive`,
      });
      assert.equal((await linesOf(file))[0], "line 1");
      await fault.delete("hung-put");
    }));

  test("a daemon that it left behind ends with it", () =>
    fault.during(async () => {
      await count("daemon");
      await allArrive("daemon");
      await fault.delete("daemon");
      await logged(/"command":"sleep","msg":"killed a process that a plugin left behind"/);
    }));

  const outputs: Record<string, RegExp> = {
    "no-output": /./,
    "stdout-without-breaks": /"stream":"stdout","msg":"x{16384} … \(\d{8,} more bytes\)"/,
    "stderr-without-breaks": /"stream":"stderr","msg":"x{16384} … \(\d{8,} more bytes\)"/,
    "stdout-lines": /"dropped":\d{5,},"msg":"lines of the plugin's log were dropped"/,
    "stderr-lines": /"dropped":\d{5,},"msg":"lines of the plugin's log were dropped"/,
  };
  for (const [name, line] of Object.entries(outputs)) {
    test(`${name}: it runs, and the host's log and memory stay bounded`, () =>
      fault.during(async () => {
        const from = performance.now();
        const before = fault.host.log.length;
        await count(name);
        await allArrive(name);
        await fault.delete(name);
        await logged(line);
        const linesMax = 2_500 + (performance.now() - from) * 1.5;
        assert.ok(fault.host.log.length - before < linesMax, "the log is bounded");
      }));
  }

  async function count(name: string): Promise<void> {
    await fault.create(name, `${name}.Source`, { topic: "counted", count: `${numbers}` });
  }

  async function allArrive(name: string): Promise<void> {
    const wanted = Array.from({ length: numbers }, (_, index) => `${name}:${index + 1}`);
    const mine = async () => {
      const lines = await linesOf(join(fault.directory, "counted.txt"));
      return [...new Set(lines.filter((line) => line.startsWith(`${name}:`)))];
    };
    await waitFor(async () => (await mine()).includes(wanted.at(-1) as string), {
      withinMs: 20_000,
      everyMs: 100,
      what: `all records of ${name}`,
    });
    assert.deepEqual((await mine()).slice(0, numbers), wanted);
  }

  function logged(line: RegExp): Promise<void> {
    return waitFor(() => fault.host.log.some((one) => line.test(one)), {
      withinMs: 20_000,
      everyMs: 100,
      what: `a line of the log like ${line}`,
    });
  }
});

test("a stop that never ends condemns its process; the others move and are never FAILED", async () => {
  const fault = await FaultHost.start({
    plugins: [{ name: "shared", run: ["process", "never-stops"] }],
    worker: { "plugin.process.per": "plugin" },
  });
  try {
    await fault.during(async () => {
      const file = join(fault.directory, "shared.txt");
      await fault.create("kept", "org.apache.kafka.connect.file.FileStreamSinkConnector", {
        topics: "shared",
        file,
      });
      const count = { topic: "shared", count: "100000000" };
      for (const name of ["neighbour", "never"]) {
        await fault.create(name, "shared.Source", count);
        await fault.running(name);
      }
      const pid = await fault.host.pidOf("neighbour");
      assert.equal(await fault.host.pidOf("never"), pid);
      const seen = new Set<string>();
      const look = setInterval(async () => {
        const status = await fault.status("neighbour").catch(() => undefined);
        for (const one of [status?.connector, ...(status?.tasks ?? [])]) {
          if (one !== undefined) seen.add(one.state);
        }
      }, 20);
      await fault.delete("never");
      await waitFor(async () => (await fault.host.pidOf("neighbour")) !== pid, {
        withinMs: 20_000,
        what: "the neighbour to live in a new process",
      });
      await fault.running("neighbour");
      clearInterval(look);
      assert.ok(!seen.has("FAILED"), [...seen].join());
      assert.ok(!fault.processes().includes(pid), "the condemned process is gone");
      await waitFor(() => fault.host.log.some((line) => /process is condemned/.test(line)), {
        withinMs: 20_000,
        what: "a line about it",
      });
      const kept = async () => [
        ...new Set((await linesOf(file)).filter((line) => line.startsWith("neighbour:"))),
      ];
      const arrived = (await kept()).length;
      await waitFor(async () => (await kept()).length > arrived + 1_000, {
        withinMs: 20_000,
        everyMs: 100,
        what: "more of the neighbour's numbers",
      });
      const numbersKept = await kept();
      assert.deepEqual(
        numbersKept,
        numbersKept.map((_, index) => `neighbour:${index + 1}`),
      );
      await fault.delete("neighbour");
      await fault.delete("kept");
    });
  } finally {
    await fault.stop();
  }
});
