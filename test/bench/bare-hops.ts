/**
 * The floor of a latency: lines that Node processes do nothing with but hand on, over Unix sockets. What
 * is slow here is the machine.
 */
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";

export interface BareHopsOptions {
  /** For the sockets. */
  readonly directory: string;
  readonly hops: number;
  readonly perSecond: number;
  readonly seconds: number;
}

/** Listens at its first argument and hands on to its second. */
const hop = `
  const { createConnection, createServer } = require("node:net");
  const [from, to] = process.argv.slice(1);
  const next = createConnection(to);
  createServer((socket) => socket.pipe(next)).listen(from, () => console.log("up"));
`;

/** Milliseconds that each line took from this process through the others and back. */
export async function bareHops(options: BareHopsOptions): Promise<number[]> {
  const { directory, hops, perSecond, seconds } = options;
  const path = (n: number) => join(directory, `hop-${n}`);
  const latencies: number[] = [];
  const end = createServer((socket) => {
    createInterface(socket).on("line", (line) => latencies.push(performance.now() - Number(line)));
  });
  end.listen(path(hops));
  await once(end, "listening");
  const ending = new AbortController();
  const running: Promise<unknown>[] = [];
  let first: Socket | undefined;
  try {
    // From the last on: each finds the one behind it listening.
    for (let n = hops - 1; n >= 0; n -= 1) {
      const program = execa(process.execPath, ["-e", hop, path(n), path(n + 1)], {
        cancelSignal: ending.signal,
        reject: false,
      });
      running.push(program);
      await once(program.stdout, "data");
    }
    first = createConnection(path(0));
    const lines = perSecond * seconds;
    const begun = performance.now();
    for (let n = 0; n < lines; n += 1) {
      await sleep(Math.max(0, begun + (n * 1_000) / perSecond - performance.now()));
      first.write(`${performance.now()}\n`);
    }
    await sleep(1_000);
    return latencies;
  } finally {
    first?.destroy();
    ending.abort();
    await Promise.all(running);
    end.close();
  }
}
