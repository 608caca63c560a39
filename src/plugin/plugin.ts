/**
 * What the host knows of plugins, in its own types: no generated type, no gRPC and no process leaks
 * out of `src/plugin`. The rules behind these shapes are in proto/README.md.
 */

import type { ConfigKey } from "../config/config-def.ts";
import type { VersionWish } from "../config/version-range.ts";
import type { StageStart, StageStream } from "./stage-stream.ts";
import type { SinkPartition, SinkStream, SourceOffset, SourceStream } from "./streams.ts";

export type {
  StageKind,
  StageOperation,
  StagePart,
  StageRun,
  StageStart,
  StageStream,
} from "./stage-stream.ts";

export type {
  FlushResult,
  IdMax,
  OwnRecord,
  OwnValue,
  PutResult,
  SinkEvent,
  SinkOffset,
  SinkPartition,
  SinkStream,
  SourceEvent,
  SourceOffset,
  SourceStream,
} from "./streams.ts";

/** What a class is for; Connect's names, as `GET /connector-plugins` shows them. */
export type PluginKind =
  | "source"
  | "sink"
  | "transformation"
  | "predicate"
  | "converter"
  | "header_converter";

/** One class that a plugin offers, as its manifest describes it. */
export interface PluginClass {
  readonly className: string;
  readonly kind: PluginKind;
  readonly version: string;
  readonly config: readonly ConfigKey[];
  /** The class name that task configs and metrics show. */
  readonly taskClass: string;
  readonly aliases: readonly string[];
  readonly documentationUrl: string;
  /** The plugin checks configs itself, beyond what `config` says; asked in a process of its own. */
  readonly validates: boolean;
  readonly plugin: PluginManifest;
}

/** A plugin, a folder with plugin.json or one executable file: what to run and which classes it has. */
export interface PluginManifest {
  readonly name: string;
  readonly version: string;
  /** The folder with plugin.json or with the executable; processes are started in it. */
  readonly directory: string;
  /** Program and arguments; a relative program is looked up in the folder. */
  readonly command: readonly string[];
  /** The file, of a plugin that is one executable without plugin.json. */
  readonly program?: string;
  readonly classes: readonly PluginClass[];
}

/** A folder or file on `plugin.path` that cannot be used, and why. */
export interface UnusablePlugin {
  readonly path: string;
  readonly reason: string;
}

/** Which classes exist, by every name that Connect accepts for them; as of the last look. */
export interface PluginCatalog {
  /**
   * Sinks, sources, transformations, predicates, converters, header converters; by name within, the
   * newest version of each first.
   */
  readonly classes: readonly PluginClass[];
  /** Those that are being asked what they offer are among them. */
  readonly unusable: readonly UnusablePlugin[];
  /**
   * The newest version that meets the wish, by full class name or alias (simple name; simple name
   * without its kind suffix; the manifest's aliases). An alias that several classes share finds
   * nothing. Undefined when there is none.
   */
  find(name: string, kinds?: readonly PluginKind[], wish?: VersionWish): PluginClass | undefined;
  /** Every version of what `find` finds, the newest first. */
  versions(name: string, kinds?: readonly PluginKind[]): readonly PluginClass[];
  /**
   * Sees what is in the folders now. Without `wanted` it waits a few seconds for plugins that are
   * being asked what they offer; else until that class is found, no plugin is left that may have it,
   * or the signal fires. Never rejects.
   */
  look(wanted?: WantedClass): Promise<void>;
}

/** A class that somebody waits for. */
export interface WantedClass {
  readonly name: string;
  readonly kinds?: readonly PluginKind[];
  readonly wish?: VersionWish;
  readonly signal: AbortSignal;
}

/** Which fault it is, as the plugin names it; a code from a newer contract reads as "internal". */
export type FailureCode =
  | "invalid_config"
  | "auth"
  | "unavailable"
  | "rate_limited"
  | "data"
  | "internal"
  | "fenced"
  | "cancelled"
  | "unsupported";

/**
 * What the host does about a failure: try again, tell the user, treat the record, or end the task.
 */
export type FailureClass = "transient" | "configuration" | "data" | "fatal";

/** What went wrong in a plugin, in its own words. */
export interface Failure {
  readonly code: FailureCode;
  readonly class: FailureClass;
  readonly text: string;
  readonly hint: string;
  readonly exceptionClass: string;
  readonly stack: string;
  readonly causes: readonly { exceptionClass: string; text: string }[];
}

/** What became of `count` records after one another. */
export type Run =
  | { count: number; outcome: "stored" | "filtered" | "aborted" }
  | { count: number; outcome: "failed"; stage: string; failure: Failure };

/** A config as text, the way users write it and plugins get it. */
export type ConnectorConfig = Readonly<Record<string, string>>;

/** How a plugin process ended, in words that a status can show. */
export interface ExitReason {
  /** For example `plugin process 4711 (file) was killed by SIGKILL`. */
  readonly text: string;
  /** It was asked to end. */
  readonly expected: boolean;
  /** The last lines it wrote to stderr, oldest first. */
  readonly lastStderr: readonly string[];
}

/** What StartTask tells a plugin of the task it shall run. */
export interface TaskStart {
  readonly connector: string;
  readonly task: number;
  readonly className: string;
  readonly taskClass: string;
  readonly taskConfig: ConnectorConfig;
  readonly connectorConfig: ConnectorConfig;
  readonly offsetFlushIntervalMs: number;
  /** Sinks: the task may report records one by one. */
  readonly errantRecordReporter: boolean;
  readonly startMsMax: number;
}

/** What a plugin may ask the host while a request of its own is open. */
export interface PluginCalls {
  /** Offset texts in the order asked; null where nothing is committed. */
  readOffsets(
    connector: string,
    partitions: readonly string[],
  ): Promise<readonly (string | null)[]>;
  /** The Connector instance wants its task configs to be made again. */
  requestTaskReconfiguration(connector: string): void;
  /** The Connector instance says that it has failed. */
  raiseError(connector: string, failure: Failure): void;
}

/**
 * One running plugin process. Every method rejects with TaskError: `plugin.gone` when the process is
 * gone, `plugin.condemned` when it has to end and the method is not a stop.
 */
export interface PluginProcess {
  readonly pid: number;
  readonly plugin: PluginManifest;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<ExitReason>;
  startConnector(connector: string, className: string, config: ConnectorConfig): Promise<void>;
  /** @throws TaskError `plugin.request_timeout` when it did not stop by the host's deadline. */
  stopConnector(connector: string): Promise<void>;
  /** @throws TaskError with the plugin's stack as trace. */
  taskConfigs(
    connector: string,
    tasksMax: number,
    previous: readonly ConnectorConfig[],
  ): Promise<{ taskClass: string; configs: readonly ConnectorConfig[] }>;
  /** Resolves when the task's stream is open and the user's start has returned. */
  startSourceTask(start: TaskStart, signal: AbortSignal): Promise<SourceStream>;
  startSinkTask(start: TaskStart, signal: AbortSignal): Promise<SinkStream>;
  /**
   * A transform, predicate or converter of this plugin; resolves when the user's start has returned.
   * @throws TaskError `plugin.unsupported` where the plugin has no capability `stages`
   */
  openStage(start: StageStart, signal: AbortSignal): Promise<StageStream>;
}

/** What a plugin's own validation says; keys it does not name keep the host's answer. */
export interface ValidationAnswer {
  readonly values: readonly {
    name: string;
    value: string | null;
    errors: readonly string[];
    recommendedValues: readonly string[];
    visible: boolean;
  }[];
}

/** A process, or the place where one was, for whoever shows how plugins fare. */
export interface ProcessView {
  readonly plugin: string;
  readonly version: string;
  /** Null: nobody lives there now. */
  readonly pid: number | null;
  readonly use: "connector" | "helper" | "attached";
  readonly at: "starting" | "ready" | "condemned" | "ending" | "ended";
  readonly connectors: readonly string[];
  readonly upMs: number | null;
  /** Of the process itself: as the system counts where it says so, else as the plugin does. */
  readonly rssBytes: number | null;
  readonly cpuMs: number | null;
  readonly sinceHeartbeatMs: number | null;
  readonly stalled: boolean;
  /** Processes started in this place after the first. */
  readonly restarts: number;
  /** `at` is an ISO time. */
  readonly lastExit: { readonly text: string; readonly at: string } | null;
  readonly tasks: readonly TaskActivity[];
}

/** What a plugin says of one of its tasks with each heartbeat. */
export interface TaskActivity {
  readonly connector: string;
  readonly task: number;
  /** `idle`, `polling`, `putting`, `backing off`, … */
  readonly activity: string;
  readonly activityMs: number;
  readonly sinceProgressMs: number;
  readonly transientFailure: string | null;
}

/** A plugin that is started by hand and dials by itself (`plugin.attach`). */
export interface AttachedPlugin {
  readonly name: string;
  /** What to begin its command line with: `BULKHEAD_CONNECT=FILE`. */
  readonly connect: string;
  /** The file with address and token. */
  readonly file: string;
  /** Nobody knows yet which classes it has. */
  readonly isUnknown: boolean;
  readonly state:
    | { readonly at: "away" }
    | { readonly at: "asking" }
    /** What it said it is, also while it is away again. */
    | { readonly at: "known"; readonly manifest: PluginManifest }
    | { readonly at: "unusable"; readonly reason: string };
}

/** The plugins that the host waits for instead of starting them. */
export interface AttachedPlugins {
  list(): readonly AttachedPlugin[];
  /** Calls back when a state has changed, until the answer is called. */
  onChange(listener: () => void): () => void;
  /**
   * Resolves when the plugin can be used: at once, or, if it is one of these and away, when it has come.
   * Undefined: when one that nobody knew may have said what it is. Also when the signal fires.
   */
  arrival(plugin: PluginManifest | undefined, signal: AbortSignal): Promise<void>;
}

/** Hands out processes: who shares one is a setting (`plugin.process.per`). */
export interface PluginProcesses {
  readonly attached: AttachedPlugins;
  /**
   * A running process for this connector (task undefined = its Connector instance) or a new one. Of an
   * attached plugin its session.
   * @throws TaskError with the phase that failed and the last stderr lines; `plugin.away` at once where
   * an attached plugin is not there.
   */
  acquire(use: ProcessUse, signal: AbortSignal): Promise<ProcessLease>;
  /**
   * The class's first process will be acquired soon, once its config is checked: starts one that may
   * become it, unless there is one. Nothing has to follow, and what goes wrong is told by `acquire`.
   */
  startAhead(plugin: PluginManifest): void;
  /**
   * Live checks included; in a helper process, never in one that runs tasks. An attached plugin answers
   * in its session, and while it is away nothing.
   */
  validate(
    plugin: PluginClass,
    config: ConnectorConfig,
    signal: AbortSignal,
  ): Promise<ValidationAnswer>;
  /**
   * Asks a program what it is, class by class of its Hello, in a helper process. Answers with the
   * manifest, its name, version and classes as the program gave them.
   * @throws TaskError `plugin.launch_failed`, `plugin.request_timeout`, the plugin's own failure, or
   * `plugin.protocol_error` where it describes nothing that can be used
   */
  describe(plugin: PluginManifest, signal: AbortSignal): Promise<PluginManifest>;
  /**
   * Tells a connector that its committed offsets are about to change, in a helper process. It may be
   * asked again and has to do the same; the connector does not run meanwhile.
   */
  alterOffsets(
    plugin: PluginManifest,
    change: OffsetsChange,
    signal: AbortSignal,
  ): Promise<OffsetsAltered>;
  /** Every place where a process lives or lived; bounded, the oldest that ended are forgotten. */
  processes(): readonly ProcessView[];
  /** Ends every process: Shutdown, stdin closed, SIGTERM, SIGKILL to the group. */
  close(): Promise<void>;
}

/** Offsets that a user asks to change: of a source or of a sink. */
export interface OffsetsChange {
  readonly connector: string;
  readonly className: string;
  readonly config: ConnectorConfig;
  readonly source?: readonly SourceOffset[];
  /** A null offset removes the committed one. */
  readonly sink?: readonly (SinkPartition & { readonly offset: number | null })[];
}

/**
 * `done`: the connector keeps offsets of its own too and has altered them; `not done`: it leaves them
 * to the host; `unsupported`: it knows no such request.
 */
export type OffsetsAltered = "done" | "not done" | "unsupported";

/** Who will live in a process; with `plugin.process.per` it decides which one. */
export interface ProcessUse {
  readonly plugin: PluginManifest;
  readonly connector: string;
  readonly task?: number;
}

/** A share in a process. The process lives as long as somebody holds one. */
export interface ProcessLease {
  readonly process: PluginProcess;
  /**
   * Fires when something else in the process did not stop, with a TaskError `plugin.condemned` as
   * reason: the holder stops what it has there, releases, and rejects with that reason. It has not
   * failed; it starts again in a new process. The same when an attached plugin has gone, with
   * `plugin.away`: it starts again when that comes back.
   */
  readonly condemned: AbortSignal;
  /** The last one to release a process ends it. Of a condemned process it resolves after the exit. */
  release(): Promise<void>;
  /**
   * Something of this holder's did not stop by its deadline: the process gets no new requests but
   * stops, the other holders stop side by side under one deadline, and it is killed. Resolves after
   * its exit; counts as a release.
   */
  condemn(reason: string): Promise<void>;
}
