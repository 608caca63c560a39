/**
 * One Connector instance in a plugin process: it watches the outer system and says which task configs
 * there shall be. A restart makes a new one.
 */
import type { Logger } from "../observe/logger.ts";
import type { ConnectorConfig, ProcessLease } from "../plugin/plugin.ts";
import type { ConnectorName } from "../state/id.ts";
import type { ConnectorState, TargetState } from "../state/status.ts";

/** Plain data. */
export interface ConnectorSpec {
  readonly name: ConnectorName;
  readonly className: string;
  /** As submitted. */
  readonly config: ConnectorConfig;
  /** After that its process is condemned. */
  readonly stopMsMax: number;
}

/** What an instance needs from outside. */
export interface ConnectorParts {
  readonly acquireProcess: (signal: AbortSignal) => Promise<ProcessLease>;
  readonly logger: Logger;
}

/** What the plugin's Connector answers when it is asked for its tasks. */
export interface TaskConfigsAnswer {
  readonly taskClass: string;
  readonly configs: readonly ConnectorConfig[];
}

/** One instance while it runs. */
export interface Connector {
  /** Resolves when it was asked to stop and has; rejects when it failed. Its owner decides. */
  run(signal: AbortSignal): Promise<void>;
  /** While PAUSED or STOPPED the plugin's code is stopped and holds no process. */
  setTarget(target: TargetState): void;
  /** @throws TaskError when it is not started, or with the plugin's stack as trace. */
  taskConfigs(tasksMax: number, previous: readonly ConnectorConfig[]): Promise<TaskConfigsAnswer>;
  /** It said of itself that it has failed, or the host found it at fault: `run` rejects. */
  fail(error: unknown): void;
  /** The plugin process that holds it now. */
  readonly pid: number | undefined;
}

/** Told as it changes; never FAILED or UNASSIGNED, which are its owner's words. */
export type OnConnectorState = (
  state: Extract<ConnectorState, "RUNNING" | "PAUSED" | "STOPPED">,
) => void;

/** Builds an instance; nothing happens before `run`. */
export type CreateConnector = (
  spec: ConnectorSpec,
  parts: ConnectorParts,
  target: TargetState,
  onState: OnConnectorState,
) => Connector;
