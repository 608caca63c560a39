import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ClassDescription } from "../plugin/gen/bulkhead/plugin/v1/config_pb.ts";
import type { Reply } from "../plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { Blocked, NotJudged } from "./clause.ts";
import type { ClassSetup, ManifestClass, Subject } from "./conformance.ts";
import type { Admission, HostScript, Ticket } from "./host-end.ts";
import type { ProgramStart } from "./plugin-program.ts";
import { Running } from "./running.ts";
import type { SinkEnd } from "./sink-end.ts";
import type { SourceEnd } from "./source-end.ts";

/** A class of the plugin under test. */
export interface Target {
  readonly className: string;
  readonly kind: "source" | "sink" | "stage";
  /** Connect's name of it, where it is a stage. */
  readonly stageKind?: string;
  /** Undefined where the plugin does not serve Describe. */
  readonly description: ClassDescription | undefined;
  readonly manifest: ManifestClass | undefined;
  readonly setup: ClassSetup;
}

/** What a started task is, with its process. */
export interface TaskRun<End> {
  readonly running: Running;
  readonly task: End;
}

/** How a task is started where it matters. */
export interface TaskOptions {
  readonly script?: HostScript;
  readonly situation?: string;
  readonly running?: Running;
  /** Over everything else in the config. */
  readonly config?: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a setup file spells it.
const scratchMark = "${scratch}";

/** The connector name that cases use. */
export const connectorName = "conformance";

/** What one case works with. Everything it starts is ended with it. */
export class Trial {
  readonly subject: Subject;
  /** Undefined for clauses that concern the program. */
  readonly target: Target | undefined;
  /** How long to wait for what the contract gives no deadline for. */
  readonly answerMs: number;
  /** How long nothing has to happen to say that it does not; see `Running.quiet`. */
  readonly quietMs = 300;
  /** The contract's: from the end of stdin or session to the end of the process. */
  readonly exitMs = 5_000;
  /** The contract's: from the start to hello. */
  readonly helloMs = 30_000;
  readonly #runs: Running[] = [];
  readonly #written = new Set<string>();
  #scratch: string | undefined;

  constructor(subject: Subject, target: Target | undefined, answerMs: number) {
    this.subject = subject;
    this.target = target;
    this.answerMs = answerMs;
  }

  get class(): Target {
    if (this.target === undefined) throw new Error("a clause of the program asked for a class");
    return this.target;
  }

  /** Starts the program; it may not even say hello. */
  async launch(
    script: HostScript = {},
    output: ProgramStart["output"] = "captured",
  ): Promise<Running> {
    const { command, directory } = this.subject;
    const running = await Running.launch({ command, directory, output }, script);
    this.#runs.push(running);
    return running;
  }

  /** Starts the program and welcomes it. @throws Blocked when it says no hello */
  async ready(script: HostScript = {}, output?: ProgramStart["output"]): Promise<Running> {
    const running = await this.launch(script, output);
    const hello = await running.hello(this.helloMs);
    if (hello === undefined) throw new Blocked("hello.in-time", running.program.lastWords);
    return running;
  }

  /** The whole connector config. @throws NotJudged where a key is missing */
  async config(options: TaskOptions = {}): Promise<Record<string, string>> {
    const { className, kind, setup } = this.class;
    const scratch = await this.scratch();
    const more = options.situation === undefined ? undefined : this.situation(options.situation);
    await this.#writeFiles({ ...setup.files, ...more?.files }, scratch);
    const given = { ...setup.config, ...more?.config };
    const config: Record<string, string> = {
      "tasks.max": "1",
      ...(kind === "sink" && { topics: "conformance" }),
    };
    for (const [key, value] of Object.entries(given)) {
      config[key] = value.replaceAll(scratchMark, scratch);
    }
    Object.assign(config, options.config, {
      name: connectorName,
      "connector.class": className,
    });
    this.#mustHaveAll(className, config);
    return config;
  }

  /** The keys of a stage, as its setup has them. @throws NotJudged where one is missing */
  async stageConfig(situation?: string): Promise<Record<string, string>> {
    const { className, setup } = this.class;
    const more = situation === undefined ? undefined : this.situation(situation);
    const scratch = await this.scratch();
    await this.#writeFiles({ ...setup.files, ...more?.files }, scratch);
    const given = Object.entries({ ...setup.config, ...more?.config });
    const config = Object.fromEntries(
      given.map(([key, value]) => [key, value.replaceAll(scratchMark, scratch)]),
    );
    this.#mustHaveAll(className, config);
    return config;
  }

  #mustHaveAll(className: string, config: Readonly<Record<string, string>>): void {
    const missing = this.requiredKeys.filter((key) => config[key] === undefined);
    if (missing.length === 0) return;
    throw new NotJudged(
      `${className} needs a value for ${missing.join(", ")}: give one with --config or --setup`,
    );
  }

  /** Keys without a default that have to be given. */
  get requiredKeys(): string[] {
    const { description, manifest } = this.class;
    const described = description?.config.filter(({ required }) => required);
    return (described ?? manifest?.config.filter(({ required }) => required) ?? []).map(
      ({ name }) => name,
    );
  }

  /** @throws NotJudged where the setup does not describe it */
  situation(name: string): Omit<ClassSetup, "situations"> {
    const found = this.class.setup.situations[name];
    if (found !== undefined) return found;
    throw new NotJudged(`the setup describes no situation "${name}" for ${this.class.className}`);
  }

  /** A folder that lives as long as the case. */
  async scratch(): Promise<string> {
    this.#scratch ??= await mkdtemp(join(tmpdir(), "bulkhead-check-"));
    return this.#scratch;
  }

  /** StartConnector with the runnable config. @throws Blocked when it fails */
  async startConnector(running: Running, config: Record<string, string>): Promise<void> {
    const value = { className: this.class.className, config };
    const kind = { case: "startConnector", value } as const;
    const reply = await running.request(kind, this.answerMs, connectorName);
    expectReply(running, reply, "startConnector", "connector.start");
  }

  /** @throws Blocked when there is no list of configs */
  async taskConfigs(running: Running, tasksMax: number): Promise<Record<string, string>[]> {
    const { session } = running;
    const id = session.ask(connectorName, { case: "taskConfigs", value: { tasksMax } });
    const reply = await running.until(() => session.finalReplies(id)[0], this.answerMs);
    expectReply(running, reply, "taskConfigs", "connector.start");
    return session
      .partsOf(id)
      .flatMap(({ kind }) => (kind.case === "taskConfigs" ? kind.value.configs : []))
      .map(({ config }) => config);
  }

  /** Sends StartTask; the answer is its request id and the ticket that the stream will present. */
  sendStartTask(
    running: Running,
    configs: { connector: Record<string, string>; task: Record<string, string> },
    admission: Admission = "at-once",
    task = 0,
  ) {
    const ticket = running.host.ticket(admission);
    const id = running.session.ask(connectorName, {
      case: "startTask",
      value: {
        task,
        className: this.class.className,
        taskClass: this.class.description?.taskClass ?? this.class.manifest?.taskClass ?? "",
        taskConfig: configs.task,
        connectorConfig: configs.connector,
        chainRunner: 1,
        transactionBoundary: 1,
        ticket: ticket.text,
        offsetFlushIntervalMs: 60_000n,
      },
    });
    return { id, ticket };
  }

  /** Waits for the stream of a ticket. @throws Blocked when none is opened */
  async streamOf(running: Running, ticket: Pick<Ticket, "stream">): Promise<SourceEnd | SinkEnd> {
    const stream = await running.until(() => ticket.stream, this.answerMs);
    if (stream !== undefined) return stream;
    const why = `no task stream was opened; ${running.program.lastWords}`;
    throw new Blocked("task.start", why);
  }

  /** Makes a process with connector and task configs, ready for StartTask. */
  async prepared(options: TaskOptions = {}) {
    const config = await this.config(options);
    const running = options.running ?? (await this.ready(options.script));
    await this.startConnector(running, config);
    const [task] = await this.taskConfigs(running, 1);
    if (task === undefined) throw new NotJudged("with its config the connector wants no task");
    return { running, configs: { connector: config, task } };
  }

  /** Starts a task up to `started`. @throws Blocked, NotJudged */
  async startedTask(options: TaskOptions = {}): Promise<TaskRun<SourceEnd | SinkEnd>> {
    const { running, configs } = await this.prepared(options);
    const { ticket } = this.sendStartTask(running, configs);
    const task = await this.streamOf(running, ticket);
    const begun = await task.until(() => task.has("started"), this.answerMs);
    if (begun === undefined) {
      throw new Blocked("task.start", `no started; the stream said: ${whatCame(task)}`);
    }
    return { running, task };
  }

  async source(options: TaskOptions = {}): Promise<TaskRun<SourceEnd>> {
    return (await this.startedTask(options)) as TaskRun<SourceEnd>;
  }

  /** A sink with one partition open. */
  async sink(options: TaskOptions = {}): Promise<TaskRun<SinkEnd>> {
    const { running, task } = (await this.startedTask(options)) as TaskRun<SinkEnd>;
    task.open([{ topic: "conformance", partition: 0 }]);
    const opened = await task.first("opened", this.answerMs);
    if (opened === undefined) {
      throw new Blocked("sink.open-close", `no opened; the stream said: ${whatCame(task)}`);
    }
    const credit = await task.until(() => (task.hasCredit ? true : undefined), this.answerMs);
    if (credit === undefined) throw new Blocked("sink.credit", "the sink gave no credit for puts");
    return { running, task };
  }

  async close(): Promise<void> {
    await Promise.all(this.#runs.map((running) => running.close()));
    if (this.#scratch !== undefined) await rm(this.#scratch, { recursive: true, force: true });
  }

  async #writeFiles(files: Readonly<Record<string, string>>, scratch: string): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      const target = path.replaceAll(scratchMark, scratch);
      // A second process of the case finds what the first one left.
      if (this.#written.has(target)) continue;
      this.#written.add(target);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
    }
  }
}

function expectReply(
  running: Running,
  reply: Reply | undefined,
  expected: string,
  clause: string,
): void {
  if (reply?.kind.case === expected) return;
  const said =
    reply === undefined
      ? `no reply came; ${running.program.lastWords}`
      : reply.kind.case === "failure"
        ? `it failed: ${reply.kind.value.text}`
        : `it was answered with ${reply.kind.case ?? "nothing that is known"}`;
  throw new Blocked(clause, `${expected}: ${said}`);
}

/** The kinds of message that came, and the text of a failure. */
export function whatCame(task: SourceEnd | SinkEnd): string {
  const [failure] = task.failures;
  return failure === undefined ? task.story : `${task.story} (failure: ${failure.text})`;
}
