import type { Logger } from "../observe/logger.ts";
import { type ClusterState, emptyState, foldAll } from "../state/cluster-state.ts";
import type { ConfigRecord } from "../state/config-record.ts";
import {
  decodeConfigRecord,
  type EncodedRecord,
  encodeCommit,
  encodeConnector,
  encodeRestart,
  encodeTargetState,
  encodeTask,
} from "./config-codec.ts";
import type { ConfigStore, OpenLog, RecordLog } from "./store.ts";

export interface ConfigStoreOptions {
  readonly openLog: OpenLog;
  readonly topic: string;
  readonly logger: Logger;
  /** Something new was read. Only a nudge: look at `state`. */
  readonly onChange: () => void;
}

/** Records that are folded at once while the topic is replayed. */
const foldBatch = 1_000;

/** Resolves when the topic was read to its end. */
export async function openConfigStore(options: ConfigStoreOptions): Promise<ConfigStore> {
  const store = new TopicConfigStore(options);
  await store.open(options);
  return store;
}

class TopicConfigStore implements ConfigStore {
  readonly #logger: Logger;
  readonly #onChange: () => void;
  #log!: RecordLog;
  #state: ClusterState = emptyState;
  #unfolded: ConfigRecord[] = [];

  constructor({ logger, onChange }: ConfigStoreOptions) {
    this.#logger = logger;
    this.#onChange = onChange;
  }

  async open({ openLog, topic }: ConfigStoreOptions): Promise<void> {
    this.#log = await openLog({
      topic,
      partitionCount: 1,
      onRecord: (key, value, { offset }) => {
        this.#take({ offset, change: decodeConfigRecord(key, value) });
      },
    });
    await this.#log.readToEnd();
  }

  get state(): ClusterState {
    this.#fold();
    return this.#state;
  }

  putConnector: ConfigStore["putConnector"] = (name, config, initial) => {
    const target = initial === undefined ? [] : [encodeTargetState(name, initial)];
    return this.#write([...target, encodeConnector(name, config)]);
  };

  removeConnector: ConfigStore["removeConnector"] = (name) =>
    this.#write([encodeConnector(name, null), encodeTargetState(name, null)]);

  putTaskConfigs: ConfigStore["putTaskConfigs"] = async (name, configs) => {
    // What somebody else left uncommitted must not mix with this set.
    await this.#log.readToEnd();
    if (configs.length > 0) {
      await this.#write(configs.map((config, task) => encodeTask(name, task, config)));
    }
    await this.#write([encodeCommit(name, configs.length)]);
  };

  putTargetState: ConfigStore["putTargetState"] = (name, target) =>
    this.#write([encodeTargetState(name, target)]);

  stopConnector: ConfigStore["stopConnector"] = async (name) => {
    await this.#write([encodeCommit(name, 0)]);
    await this.#write([encodeTargetState(name, "STOPPED")]);
  };

  putRestart: ConfigStore["putRestart"] = (name, options) =>
    this.#write([encodeRestart(name, options)]);

  readToEnd(): Promise<void> {
    return this.#log.readToEnd();
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  /** I3: what is written takes effect by being read back, here as on every other worker. */
  async #write(records: EncodedRecord[]): Promise<void> {
    await this.#log.appendAll(records);
    await this.#log.readToEnd();
  }

  #take(record: ConfigRecord): void {
    if (record.change.at === "ignored") {
      const { key, reason } = record.change;
      this.#logger.warn({ key, offset: record.offset }, `config record ignored: ${reason}`);
    }
    this.#unfolded.push(record);
    if (this.#unfolded.length >= foldBatch) this.#fold();
    this.#onChange();
  }

  #fold(): void {
    if (this.#unfolded.length === 0) return;
    this.#state = foldAll(this.#state, this.#unfolded);
    this.#unfolded = [];
  }
}
