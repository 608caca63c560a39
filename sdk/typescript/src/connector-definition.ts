import type { ConfigKeys, ConfigOf } from "./config.ts";
import type { ConfigTexts } from "./config-parse.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { SourceOffset, SourcePartition } from "./source-record.ts";

/** What every function of a connector is given. */
export interface ConnectorContext<Keys extends ConfigKeys> {
  /** The connector's name. */
  readonly connector: string;
  /** The declared keys, parsed and checked. */
  readonly config: ConfigOf<Keys>;
  /** All keys as they were written, also those that were not declared. */
  readonly texts: ConfigTexts;
  /** Fires when the work shall end: stop what you are waiting for. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Reads committed source offsets. */
export interface OffsetReader {
  /** What was stored last for this source partition; null = nothing. */
  offset(partition: SourcePartition): Promise<SourceOffset | null>;
  /** The same for many at once, in the order asked. */
  offsets(partitions: readonly SourcePartition[]): Promise<(SourceOffset | null)[]>;
}

export interface TaskConfigsContext<Keys extends ConfigKeys>
  extends ConnectorContext<Keys>,
    OffsetReader {
  readonly tasksMax: number;
  /** The task configs from before, in task order. */
  readonly previous: readonly ConfigTexts[];
}

export interface MonitorContext<Keys extends ConfigKeys>
  extends ConnectorContext<Keys>,
    OffsetReader {
  /** Has `taskConfigs` asked again, because the source system has changed. */
  requestTaskReconfiguration(): void;
}

export interface ValidateContext<Keys extends ConfigKeys> {
  /** The declared keys; undefined where a value could not be parsed. */
  readonly config: Partial<ConfigOf<Keys>>;
  readonly texts: ConfigTexts;
  /** The external system may be asked. */
  readonly live: boolean;
  readonly signal: AbortSignal;
  /** Reports what is wrong with the value of a key. */
  error(key: keyof Keys & string, message: string): void;
  /** Offers values for a key. */
  recommend(key: keyof Keys & string, values: readonly string[]): void;
  /** Shows or hides a key; all are shown unless said. */
  visible(key: keyof Keys & string, visible: boolean): void;
}

/** What all classes of a plugin have in common. */
export interface ClassDefinition<Keys extends ConfigKeys> {
  /** The full name that configs use, as `connector.class` or as a `type`. */
  readonly class: string;
  /** The plugin's version unless said. */
  readonly version?: string;
  readonly aliases?: readonly string[];
  readonly documentationUrl?: string;
  /** The keys; see `config`. */
  readonly config?: Keys;
  /** Checks beyond what the declared keys say. */
  validate?(context: ValidateContext<Keys>): void | Promise<void>;
}

/** What sources and sinks have in common. */
export interface ConnectorDefinition<Keys extends ConfigKeys> extends ClassDefinition<Keys> {
  /** The name that task configs show; the class with `Task` for `Connector` unless said. */
  readonly taskClass?: string;
  /**
   * Splits the work: the config of each task, at most `tasksMax` of them. Keys that it leaves out
   * have the connector's value.
   */
  taskConfigs?(
    context: TaskConfigsContext<Keys>,
  ): readonly ConfigTexts[] | Promise<readonly ConfigTexts[]>;
  /**
   * Runs beside the tasks, once for the connector, until the signal fires; for watching the source
   * system. An error fails the connector.
   */
  monitor?(context: MonitorContext<Keys>): Promise<void>;
}

/** What every function of a task is given. `state` is what `start` returned. */
export interface TaskContext<Keys extends ConfigKeys, State> extends ConnectorContext<Keys> {
  /** Numbers of your own. */
  readonly metrics: Metrics;
  /** The task's number, from 0. */
  readonly task: number;
  readonly state: State;
}

/** `State` before `start` has returned. */
export type Starting<Context> = Omit<Context, "state">;
