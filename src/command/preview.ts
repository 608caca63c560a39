/**
 * `bulkhead preview`: shows a connector's records after each step and writes nothing. A task of a source
 * runs in processes of its own; a sink's records come from its topics. It opens no producer and no log of
 * state.
 */
import { fileURLToPath } from "node:url";
import { ConfigError, HostError, TaskError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import { topicGroups } from "../config/topic-creation.ts";
import { refuseInvalid } from "../config/validate-connector.ts";
import { parseWorkerConfig, type WorkerConfig } from "../config/worker-config.ts";
import type { Fetched } from "../kafka/kafka.ts";
import { type HostLog, openHostLog } from "../observe/host-log.ts";
import type { ConnectorConfig, PluginClass, ProcessLease } from "../plugin/plugin.ts";
import { topicsOfNoPlugin } from "../stores.ts";
import type { TaskSpec } from "../task/task.ts";
import { taskStart } from "../task/task-failure.ts";
import { conversionOf } from "../task-parts.ts";
import { askedToStop } from "./asked-to-stop.ts";
import { problemsOf } from "./config-problems.ts";
import { readConnectorFile } from "./connector-file.ts";
import { openChain, type PreviewChain } from "./preview-chain.ts";
import { limitsOf, openPreviewPlugins, type PreviewPlugins, withFirstTask } from "./preview-run.ts";
import { openSinkLog, readRecords, type SinkLog, SinkPreview } from "./preview-sink.ts";
import { SourcePreview, takeBatches } from "./preview-source.ts";
import { PreviewView } from "./preview-view.ts";
import { readPropertiesFile } from "./properties-file.ts";
import { readerGone } from "./reader-gone.ts";

export interface PreviewOptions {
  /** A worker file; without it the plugins that come with Bulkhead, and JsonConverter. */
  readonly worker?: string;
  readonly records: number;
  /** In seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

/**
 * The answer is the exit status: 1 for a config that creation would refuse, and when a record failed.
 * @throws ConfigError for files that cannot be used; TaskError for a connector or task that fails
 */
export async function previewCommand(file: string, options: PreviewOptions): Promise<number> {
  const { name, config: given } = await readConnectorFile(file);
  const worker = await workerOf(options.worker);
  const submitted = { ...given, name };
  const scope = new Scope();
  const time = new TimeLimit(askedToStop());
  scope.defer(() => time.end());
  readerGone().addEventListener("abort", () => time.stop(), { once: true });
  try {
    // Stdout is for the records.
    const destination = { write: (line: string) => void process.stderr.write(line) };
    const log = await openHostLog({ level: "warn", format: "pretty", destination });
    return await new Preview(worker, submitted, options, time).run(log, scope);
  } finally {
    await scope.close();
  }
}

async function workerOf(file: string | undefined): Promise<WorkerConfig> {
  if (file !== undefined) {
    return parseWorkerConfig(await readPropertiesFile(file), `the worker config file ${file}`);
  }
  const converter = "org.apache.kafka.connect.json.JsonConverter";
  return parseWorkerConfig({
    // Never opened.
    "bootstrap.servers": "embedded:preview",
    "plugin.path": fileURLToPath(new URL("../../plugins", import.meta.url)),
    "key.converter": converter,
    "value.converter": converter,
  });
}

type OpenChain = () => Promise<PreviewChain>;

class Preview {
  readonly #worker: WorkerConfig;
  readonly #config: ConnectorConfig;
  readonly #options: PreviewOptions;
  readonly #time: TimeLimit;
  readonly #view: PreviewView;

  constructor(
    worker: WorkerConfig,
    config: ConnectorConfig,
    options: PreviewOptions,
    time: TimeLimit,
  ) {
    this.#worker = worker;
    this.#config = config;
    this.#options = options;
    this.#time = time;
    this.#view = new PreviewView(options.json === true);
  }

  async run(log: HostLog, scope: Scope): Promise<number> {
    const fail = (error: TaskError) => this.#time.fail(error);
    const plugins = await openPreviewPlugins(this.#worker, log, scope, fail);
    const problems = await this.#problems(plugins);
    if (problems.length > 0) {
      this.#refuse(problems);
      return 1;
    }
    const found = plugins.classes.find(this.#config) as PluginClass;
    const limits = limitsOf(this.#worker);
    const chain = () =>
      openChain(this.#config, plugins, limits, log.logger, scope, this.#time.signal);
    await this.#told(() =>
      found.kind === "sink" ? this.#sink(chain) : this.#sourceOf(found, plugins, chain),
    );
    return this.#view.failed === 0 ? 0 : 1;
  }

  async #sourceOf(found: PluginClass, plugins: PreviewPlugins, chain: OpenChain): Promise<void> {
    const limits = limitsOf(this.#worker);
    const work = (spec: TaskSpec, lease: ProcessLease) => this.#source(spec, lease, chain);
    // Groups of topics that cannot be used keep a connector from starting.
    topicGroups(this.#config, this.#worker.topicCreationEnable);
    await withFirstTask(found, this.#config, { ...plugins, limits }, this.#time.signal, work);
  }

  /** Names the connector in what ends its preview. */
  async #told(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const failure = this.#time.failure ?? error;
      // Being stopped while starting is not an error.
      if (this.#time.signal.aborted && this.#time.failure === undefined) return;
      if (failure instanceof ConfigError) throw failure;
      if (failure instanceof HostError && failure.code === "command.preview_failed") throw failure;
      const message = `cannot preview connector ${this.#config["name"]}`;
      throw new TaskError("command.preview_failed", message, { cause: failure });
    }
  }

  async #problems(plugins: PreviewPlugins): Promise<readonly string[]> {
    try {
      refuseInvalid(await plugins.validate(this.#config));
      return [];
    } catch (error) {
      // A rule that concerns two keys is told for each of them.
      return [...new Set(problemsOf(error).map(({ message }) => message))];
    }
  }

  #refuse(problems: readonly string[]): void {
    const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
    const lines = [
      `bulkhead: cannot preview connector ${this.#config["name"]}: ${count}`,
      ...problems.map((message) => `  ${message}`),
    ];
    process.stderr.write(`${lines.join("\n")}\n`);
  }

  async #source(spec: TaskSpec, lease: ProcessLease, openChain: OpenChain): Promise<void> {
    const view = this.#view;
    const { signal } = this.#time;
    const { records: wanted, timeout } = this.#options;
    const parts = {
      ...conversionOf(spec, this.#worker),
      topicsRefused: topicsOfNoPlugin,
      config: this.#config,
      openChain,
    };
    const previewOf = await SourcePreview.prepare(parts);
    const stream = await lease.process.startSourceTask(taskStart(spec), signal);
    const preview = previewOf(stream);
    this.#time.begin(timeout * 1_000);
    let end: string;
    try {
      end = await takeBatches(
        stream,
        lease,
        spec.limits,
        async (batch) => {
          const left = wanted - view.shown;
          for await (const seen of preview.records(batch, left, signal)) view.show(seen);
          return view.shown >= wanted ? "enough" : "more";
        },
        signal,
      );
    } catch (error) {
      this.#tell("written", "then the task failed");
      throw error;
    }
    if (this.#time.failure !== undefined) throw this.#time.failure;
    const late = `the task sent no more within ${timeout} s`;
    this.#tell("written", end === "stopped" && this.#time.isOver ? late : undefined);
  }

  /** The plugin is not started: it would be for nothing but to begin. */
  async #sink(openChain: OpenChain): Promise<void> {
    const view = this.#view;
    const { signal } = this.#time;
    const { worker, records: wanted, timeout } = this.#options;
    if (worker === undefined) throw logUnknown(this.#config["name"] ?? "");
    const converters = conversionOf({ connectorConfig: this.#config }, this.#worker);
    const preview = await SinkPreview.open({ ...converters, config: this.#config, openChain });
    const log = await openSinkLog(worker, this.#config);
    try {
      this.#time.begin(timeout * 1_000);
      const take = async (fetched: Fetched, end: number) => {
        for await (const seen of preview.records(fetched, end, signal)) {
          view.show(seen);
          if (view.shown >= wanted) return "enough";
        }
        return "more";
      };
      const end = await readRecords(log, take, signal);
      const late = end === "stopped" && this.#time.isOver;
      this.#tell(
        "put",
        ...missingWords(log),
        late ? `no more was read within ${timeout} s` : undefined,
      );
    } finally {
      await log.kafka.close();
    }
  }

  #tell(done: "written" | "put", ...notes: readonly (string | undefined)[]): void {
    const { shown, dropped, failed } = this.#view;
    const records = shown === 1 ? "1 record" : `${shown} records`;
    const counts = `${records}: ${dropped} dropped, ${failed} failed, nothing was ${done}`;
    const told = notes.filter((note) => note !== undefined);
    process.stderr.write(`${[counts, ...told].join("; ")}\n`);
  }
}

function missingWords({ topics, missing }: SinkLog): string[] {
  if (missing.length > 0) return [`not there: topic ${missing.join(", topic ")}`];
  return topics.length === 0 ? ["no topic matches topics.regex"] : [];
}

/** Fires when a person has seen enough, when the time is over, or when the connector failed. */
class TimeLimit {
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  isOver = false;
  failure: TaskError | undefined;

  constructor(asked: AbortSignal) {
    asked.addEventListener("abort", () => this.stop(), { once: true });
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  stop(): void {
    this.#over.abort();
  }

  begin(ms: number): void {
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#over.abort();
    }, ms);
  }

  fail(error: TaskError): void {
    this.failure ??= error;
    this.#over.abort();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function logUnknown(connector: string): TaskError {
  const message = `cannot preview connector ${connector}: it is a sink, and nothing says where its records are`;
  return new TaskError("command.preview_failed", message, {
    hint: "add --worker with the worker file whose bootstrap.servers has its topics",
  });
}
