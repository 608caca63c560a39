import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hello, Reply } from "../plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { Changes } from "./changes.ts";
import { Blocked } from "./clause.ts";
import { HostEnd, type HostScript, heartbeatMsDefault } from "./host-end.ts";
import { PluginProgram, type ProgramExit, type ProgramStart } from "./plugin-program.ts";
import type { RequestKind, SessionEnd } from "./session-end.ts";

/** A window in which a heartbeat takes longer than it should is looked at again, for so long. */
const quietMsMax = 4_000;

/** One process of the plugin and the host's end that it dials. */
export class Running {
  readonly host: HostEnd;
  readonly program: PluginProgram;
  readonly changes: Changes;
  readonly #folder: string;

  private constructor(host: HostEnd, program: PluginProgram, changes: Changes, folder: string) {
    this.host = host;
    this.program = program;
    this.changes = changes;
    this.#folder = folder;
  }

  static async launch(start: ProgramStart, script: HostScript): Promise<Running> {
    const folder = await mkdtemp(join(tmpdir(), "bulkhead-check-"));
    const changes = new Changes();
    const host = await HostEnd.open(folder, script, changes);
    const program = new PluginProgram(start, host.launchLine, changes);
    return new Running(host, program, changes, folder);
  }

  /** The session. @throws Blocked while there is none */
  get session(): SessionEnd {
    const [session] = this.host.sessions;
    if (session === undefined) throw new Blocked("hello.in-time", this.program.lastWords);
    return session;
  }

  /** As `Changes.until`; gives up when the process has ended. */
  until<T>(look: () => T | undefined, withinMs: number): Promise<T | undefined> {
    return this.changes.until(look, withinMs, () => this.program.exit !== undefined);
  }

  hello(withinMs: number): Promise<Hello | undefined> {
    return this.until(() => this.host.sessions[0]?.of("hello")[0], withinMs);
  }

  exited(withinMs: number): Promise<ProgramExit | undefined> {
    return this.changes.until(() => this.program.exit, withinMs);
  }

  /** Whether the whole process group is gone. */
  async groupGone(withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (this.program.living.length > 0) {
      if (performance.now() > deadline) return false;
      await pause(25);
    }
    return true;
  }

  /** The final reply; undefined when none came in time or the process has ended. */
  async request(kind: RequestKind, ms: number, connector = ""): Promise<Reply | undefined> {
    const { session } = this;
    const id = session.ask(connector, kind, ms);
    return await this.until(() => session.finalReplies(id)[0], ms);
  }

  /** Whether it still serves: it answers a request that needs nothing. */
  async answers(ms: number): Promise<boolean> {
    const kind = { case: "describe", value: {} } as const;
    return (await this.request(kind, ms, "conformance-probe")) !== undefined;
  }

  /**
   * Gives it so long to do what it must not. Time in which it stood still, or we did, as on a busy
   * machine, does not count: a heartbeat has to come right behind it.
   */
  async quiet(ms: number): Promise<void> {
    const beats = () => this.host.sessions[0]?.of("heartbeat").length ?? 0;
    const deadlineMs = performance.now() + quietMsMax;
    do {
      const beginMs = performance.now();
      await pause(ms);
      const before = beats();
      await this.until(() => beats() > before || undefined, 5 * heartbeatMsDefault);
      const isSteady = performance.now() - beginMs < ms + 2 * heartbeatMsDefault;
      if (isSteady || this.program.exit !== undefined) return;
    } while (performance.now() < deadlineMs);
  }

  async close(): Promise<void> {
    this.program.signal("SIGCONT");
    this.program.end();
    this.host.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Resolves after so long. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
