import type { ConnectorName } from "./id.ts";
import type { TargetState } from "./status.ts";

/** A config as text, the way users write it. */
export type ConfigText = Readonly<Record<string, string>>;

/** What a restart asks for beyond the Connector instance. */
export interface RestartOptions {
  readonly includeTasks: boolean;
  readonly onlyFailed: boolean;
}

/** Signs the requests that workers send each other. */
export interface SessionKey {
  readonly key: string;
  readonly algorithm: string;
  readonly createdMs: number;
}

/** One record of the config topic, decoded. A null config is a tombstone. */
export type ConfigChange =
  | { at: "connector"; connector: ConnectorName; config: ConfigText | null }
  | { at: "task"; connector: ConnectorName; task: number; config: ConfigText }
  | { at: "commit"; connector: ConnectorName; taskCount: number }
  | { at: "target-state"; connector: ConnectorName; target: TargetState | null }
  | { at: "restart"; connector: ConnectorName; options: RestartOptions }
  | { at: "task-count"; connector: ConnectorName; taskCount: number }
  | { at: "session-key"; sessionKey: SessionKey }
  | { at: "logger-level"; logger: string; level: string }
  /** Written by a newer worker, or spoiled: kept in the topic, and ignored. */
  | { at: "ignored"; key: string; reason: string };

/** A change and where in the topic it stands. */
export interface ConfigRecord {
  readonly offset: number;
  readonly change: ConfigChange;
}
