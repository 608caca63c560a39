import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { ConfigError, type Log } from "@bulkhead/sdk";
import { LastLines } from "./last-lines.ts";

/** How a program is started. */
export interface ProgramOptions {
  readonly argv: readonly string[];
  readonly directory: string | undefined;
  /** All of it. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes secrets out of a text that others will see. */
  readonly hide: (text: string) => string;
  readonly stopMsMax: number;
  readonly log: Log;
}

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

const lineFeed = 10;
const sliceBytes = 64 * 1024;
/** What may wait for a program that reads its input later or never. */
const notesBytesMax = 64 * 1024;
/** How long somebody who outlives the program may say nothing on its output. */
const lingerMs = 1_000;
const killMs = 1_000;

const groups = new Set<number>();
// However this process ends by itself, the programs end with it.
process.on("exit", () => {
  for (const pid of groups) signalGroup(pid, "SIGKILL");
});

/** A program with its pipes, in a process group of its own. Nothing it does is waited for without end. */
export class Program {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #options: ProgramOptions;
  readonly #stderr: LastLines;
  #exit: Exit | undefined;
  #stopping: Promise<void> | undefined;
  #latest: string | undefined;
  #onOutput: (() => void) | undefined;

  private constructor(child: ChildProcessWithoutNullStreams, pid: number, options: ProgramOptions) {
    this.#child = child;
    this.pid = pid;
    this.#options = options;
    this.#stderr = new LastLines((line) => options.log.info(options.hide(line)));
    child.stderr.on("data", (bytes: Buffer) => this.#stderr.push(bytes));
    // Whoever writes learns of it by its callback, whoever reads by the end.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => {});
    // Kept for good: a listener that comes and goes misses the last of a stream.
    for (const event of ["readable", "end", "close"]) {
      child.stdout.on(event, () => this.#onOutput?.());
    }
    groups.add(pid);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#exit = { code, signal };
        this.#onOutput?.();
        resolve(this.#exit);
      });
    });
  }

  /** @throws ConfigError when there is no such program or folder, or it cannot be run */
  static async start(options: ProgramOptions): Promise<Program> {
    const { argv, directory, env } = options;
    await checkDirectory(directory);
    const [name = "", ...args] = argv;
    try {
      const cwd = directory === undefined ? {} : { cwd: directory };
      const child = spawn(name, args, { ...cwd, env, detached: true, stdio: "pipe" });
      await once(child, "spawn");
      return new Program(child, child.pid as number, options);
    } catch (cause) {
      const message = `cannot start the program ${name}: ${whyNotStarted(cause)}`;
      throw new ConfigError(message, { cause, problems: [{ key: "command", message }] });
    }
  }

  /** Undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** What its output has now, waited for; undefined = its end, or the signal has fired. */
  async read(signal: AbortSignal): Promise<Buffer | undefined> {
    const { stdout } = this.#child;
    for (;;) {
      if (signal.aborted) return undefined;
      const bytes: Buffer | null = stdout.read();
      if (bytes !== null) return bytes;
      if (stdout.readableEnded || stdout.destroyed) return undefined;
      if (await this.#hasMore(signal)) continue;
      // A child of the program still holds its output and says nothing.
      this.#options.log.warn("the program left processes behind, which are ended");
      signalGroup(this.pid, "SIGKILL");
      if (!(await this.#hasMore(signal))) return undefined;
    }
  }

  /** Output, its end, or the exit; false = long after the exit there is neither. */
  async #hasMore(signal: AbortSignal): Promise<boolean> {
    const late = this.#exit !== undefined;
    let timer: NodeJS.Timeout | undefined;
    let wake: () => void = () => {};
    const woken = await new Promise<boolean>((resolve) => {
      wake = () => resolve(true);
      this.#onOutput = wake;
      signal.addEventListener("abort", wake, { once: true });
      if (late) timer = setTimeout(() => resolve(false), lingerMs);
    });
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
    this.#onOutput = undefined;
    if (woken) return true;
    // Where this process stood still, the timer comes before what had arrived meanwhile.
    await turn();
    return this.#child.stdout.readableLength > 0 || this.#child.stdout.readableEnded;
  }

  /**
   * Resolves when the program's pipe has taken all of it. `idleMsMax`: how long it may take nothing;
   * 0 = for ever.
   * @throws Error when it does not, or has ended; the signal's reason
   */
  async write(bytes: Buffer, signal: AbortSignal, idleMsMax: number): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const end = sliceEnd(bytes, at);
      const slice = bytes.subarray(at, end);
      at = end;
      const written = new Promise<boolean>((resolve) => {
        this.#child.stdin.write(slice, (error) => resolve(error === null || error === undefined));
      });
      const what = `the program has read nothing of its input for ${idleMsMax} ms`;
      if (!(await this.during(written, signal, idleMsMax, what))) {
        throw await this.endedEarly("has closed its input");
      }
    }
  }

  /** A line that the program may read or not. @throws Error when it has not read far more than its pipe holds */
  tell(line: string): void {
    const { stdin } = this.#child;
    if (stdin.writableLength > notesBytesMax) {
      throw new Error(
        `the program asks and does not read the answers: ${stdin.writableLength} bytes wait for it`,
      );
    }
    if (stdin.writable) stdin.write(`${line}\n`);
  }

  /** A line that makes those before it needless: of what the program does not read, one is kept. */
  tellLatest(line: string): void {
    const { stdin } = this.#child;
    if (!stdin.writable) return;
    if (stdin.writableLength === 0) stdin.write(`${line}\n`);
    else if (this.#latest === undefined) {
      this.#latest = line;
      stdin.write("", () => this.#tellLatest());
    } else this.#latest = line;
  }

  #tellLatest(): void {
    const line = this.#latest;
    this.#latest = undefined;
    if (line !== undefined) this.tellLatest(line);
  }

  /** Resolves when it has ended, or the signal has fired. */
  async gone(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    let abort: (() => void) | undefined;
    const aborted = new Promise<void>((resolve) => {
      abort = resolve;
      signal.addEventListener("abort", resolve as () => void, { once: true });
    });
    await Promise.race([this.exited, aborted]);
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /**
   * Waits for something that the program does.
   * @throws Error when it ends meanwhile, or with `what` after `msMax` (0 = never); the signal's reason
   */
  async during<T>(
    work: Promise<T>,
    signal: AbortSignal,
    msMax: number,
    what: string,
    endIsAnError = true,
  ): Promise<T> {
    signal.throwIfAborted();
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    let ended: (() => void) | undefined;
    try {
      return await Promise.race([
        work,
        new Promise<never>((_, reject) => {
          abort = () => reject(signal.reason);
          signal.addEventListener("abort", abort, { once: true });
          if (msMax > 0) timer = setTimeout(() => reject(new Error(what)), msMax);
          // What it said last may still be in its pipes.
          ended = () => void this.#drained().then(() => reject(this.#earlyEnd()));
          if (!endIsAnError) return;
          if (this.#exit === undefined) this.#child.once("exit", ended);
          else ended();
        }),
      ]);
    } finally {
      clearTimeout(timer);
      if (abort !== undefined) signal.removeEventListener("abort", abort);
      if (ended !== undefined) this.#child.off("exit", ended);
    }
  }

  /** An error for a program that seems to be gone; waits a moment for the exit that explains it. */
  async endedEarly(otherwise: string): Promise<Error> {
    await within(this.exited, lingerMs);
    await this.#drained();
    return this.#exit === undefined ? new Error(`the program ${otherwise}`) : this.#earlyEnd();
  }

  #earlyEnd(): Error {
    return new Error(`${this.exitText()} before it had taken all its records${this.lastWords()}`);
  }

  /** `the program exited with status 3`. */
  exitText(): string {
    if (this.#exit === undefined) return "the program still runs";
    const { code, signal } = this.#exit;
    return signal === null
      ? `the program exited with status ${code}`
      : `the program was killed by ${signal}`;
  }

  /** What it said last on stderr, to stand behind a sentence. */
  lastWords(): string {
    const lines = this.#stderr.lines.map(this.#options.hide);
    return lines.length === 0 ? "" : `; its last lines on stderr:\n${lines.join("\n")}`;
  }

  /** Lets what is left on stderr arrive. */
  async #drained(): Promise<void> {
    const { stderr } = this.#child;
    if (!stderr.readableEnded && !stderr.destroyed) await within(once(stderr, "close"), lingerMs);
    this.#stderr.end();
  }

  /**
   * Its input ends; `ask` sends SIGTERM to its group at once, else after `stopMsMax`; then SIGKILL.
   * Resolves when it is gone and its group is killed.
   */
  stop(ask: "at-once" | "after-input"): Promise<void> {
    this.#stopping ??= this.#stop(ask);
    return this.#stopping;
  }

  async #stop(ask: "at-once" | "after-input"): Promise<void> {
    const { stopMsMax, log } = this.#options;
    this.endInput();
    // Nobody reads its output any more: it must not wait for room there.
    const { stdout } = this.#child;
    const drop = () => {
      while (stdout.read() !== null);
    };
    this.#onOutput = drop;
    drop();
    if (ask === "at-once") signalGroup(this.pid, "SIGTERM");
    let gone = await within(this.exited, stopMsMax);
    if (!gone && ask === "after-input") {
      log.warn(`the program has not ended ${stopMsMax} ms after its input: SIGTERM`);
      signalGroup(this.pid, "SIGTERM");
      gone = await within(this.exited, killMs);
    }
    if (!gone) log.warn("the program does not end when it is asked to: SIGKILL");
    signalGroup(this.pid, "SIGKILL");
    if (!gone) await within(this.exited, killMs);
    await this.#drained();
    groups.delete(this.pid);
    for (const stream of this.#child.stdio) stream?.destroy();
  }
}

async function checkDirectory(directory: string | undefined): Promise<void> {
  if (directory === undefined) return;
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  const message = `cannot start the program: there is no folder ${directory}`;
  throw new ConfigError(message, { problems: [{ key: "directory", message }] });
}

/** Behind the last line that is wholly within a slice: what is cut off ends no line in its middle. */
function sliceEnd(bytes: Buffer, at: number): number {
  if (bytes.length - at <= sliceBytes) return bytes.length;
  const last = bytes.lastIndexOf(lineFeed, at + sliceBytes - 1);
  if (last >= at) return last + 1;
  const next = bytes.indexOf(lineFeed, at + sliceBytes);
  return next < 0 ? bytes.length : next + 1;
}

function whyNotStarted(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such program, or the one that its #! line names";
  if (code === "EACCES") return "it is not a file with execute permission";
  return cause instanceof Error ? cause.message : String(cause);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // There is nobody left in it.
  }
}

/** Whether it resolves in time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    const done = () => true;
    return await Promise.race([work.then(done, done), late]);
  } finally {
    clearTimeout(timer);
  }
}
