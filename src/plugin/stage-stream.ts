/** The part of the door for transforms, predicates and converters that live in a plugin. */
import type { Columns, Definitions, Form } from "../record/columns.ts";
import type { ConnectorConfig, Failure, PluginKind } from "./plugin.ts";

/** What OpenStage tells a plugin of the stage it shall run. */
export interface StageStart {
  readonly connector: string;
  /** The task whose records go through it. */
  readonly task: number;
  /** Its name in the connector's config; empty for a converter. */
  readonly alias: string;
  readonly className: string;
  readonly kind: StageKind;
  /** Its own keys, without the prefix that they have in the connector's config. */
  readonly config: ConnectorConfig;
  readonly isKey: boolean;
  readonly startMsMax: number;
}

/** The kinds of class that are stages. */
export type StageKind = Exclude<PluginKind, "source" | "sink">;

/** What is asked of a class follows from its kind. */
export type StageOperation = "apply" | "test" | "to connect" | "from connect";

/** The host's end of a stage's stream, after Started. */
export interface StageStream {
  /** As a sink's. */
  topicId(topic: string): number;
  formId(form: Form): number;
  nameId(name: string): number;
  forget(): void;
  room(signal?: AbortSignal): Promise<void>;
  /**
   * Sends a batch at once; call `room` before. Of a source's columns its offsets stay here. Results come
   * in order, each in one part unless the records have grown; the runs of all parts add up to the count.
   * Rejects with TaskError: `plugin.request_failed` when the stage has failed as a whole; `plugin.gone`
   * when its stream or process ended, which fails the task that it serves. There is no deadline, as for a
   * put: how long user code may take is for the caller and the watch over silent processes to say.
   */
  run(operation: StageOperation, columns: Columns): Promise<readonly StagePart[]>;
  /** Closes the stage, with the user's stop; results that are still due reject. Errors as of a source's. */
  stop(timeoutMs: number): Promise<Failure | undefined>;
  readonly ended: Promise<string>;
}

/** Some of the records of a batch, in order. */
export interface StagePart {
  readonly runs: readonly StageRun[];
  /** Those whose verdict is "ok"; columns 1 to 13. Empty for a test. */
  readonly columns: Columns;
  /** What the ids in the columns mean. */
  readonly definitions: Definitions;
}

/** `count` records after one another. */
export type StageRun =
  | { readonly count: number; readonly verdict: "ok" | "filtered" | "true" | "false" }
  | { readonly count: number; readonly verdict: "failed"; readonly failure: Failure };
