import { inspect } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConfigKeys } from "./config.ts";
import { type ConfigTexts, parseConfig } from "./config-parse.ts";
import type { ConnectorDefinition, MonitorContext } from "./connector-definition.ts";
import { abortReason } from "./deferred.ts";
import { describeClass, taskClassOf } from "./describe.ts";
import { failure, toFailure } from "./failure.ts";
import { AlterOffsetsAnswer, Support } from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import { type Failure, FailureClass, FailureCode } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import type { EventSchema, ReplySchema, Request } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { HostCalls } from "./host-calls.ts";
import type { LogBuffer } from "./log.ts";
import type { ConnectorClass, Plugin, PluginClass } from "./plugin.ts";
import { ConfigError } from "./plugin-error.ts";
import type { StageClass } from "./stage.ts";
import { validateConfig } from "./validate.ts";

type ReplyKind = NonNullable<MessageInitShape<typeof ReplySchema>["kind"]>;

/** What the calls need from the session. */
export interface CallsHost {
  readonly plugin: Plugin;
  readonly log: LogBuffer;
  readonly calls: HostCalls;
  sendEvent(event: MessageInitShape<typeof EventSchema>): void;
}

interface Instance {
  readonly found: ConnectorClass;
  readonly texts: ConfigTexts;
  readonly cancel: AbortController;
  /** Resolves when the monitor has returned. */
  readonly monitor: Promise<void>;
}

/** A request that this SDK does not know, or does not serve. */
export class UnsupportedError extends Error {}

/** Serves the connector calls of a session: everything but tasks. */
export class ConnectorCalls {
  readonly #host: CallsHost;
  readonly #instances = new Map<string, Instance>();

  constructor(host: CallsHost) {
    this.#host = host;
  }

  /** @throws whatever the reply's failure shall say */
  async serve({ connector, kind }: Request, signal: AbortSignal): Promise<ReplyKind> {
    switch (kind.case) {
      case "describe": {
        const classes = this.#host.plugin.classes
          .filter(
            (one) => kind.value.className === "" || one.definition.class === kind.value.className,
          )
          .map((one) => describeClass(this.#host.plugin, one));
        return { case: "describe", value: { classes } };
      }
      case "validate": {
        const { definition } = findClass(this.#host.plugin, kind.value.className);
        const value = await validateConfig(definition, kind.value, signal);
        return { case: "validate", value };
      }
      case "startConnector":
        await this.#start(connector, kind.value.className, kind.value.config);
        return { case: "startConnector", value: {} };
      case "stopConnector":
        await this.stop(connector);
        return { case: "stopConnector", value: {} };
      case "taskConfigs": {
        const previous = kind.value.previous.map((one) => one.config);
        const value = await this.#taskConfigs(connector, kind.value.tasksMax, previous, signal);
        return { case: "taskConfigs", value };
      }
      case "alterOffsets":
        // The host keeps the offsets.
        return { case: "alterOffsets", value: { answer: AlterOffsetsAnswer.NOT_DONE } };
      case "exactlyOnceSupport": {
        const found = findClass(this.#host.plugin, kind.value.className);
        const said = found.kind === "source" ? found.definition.exactlyOnce : undefined;
        return { case: "exactlyOnceSupport", value: { support: supportOf(said) } };
      }
      case "canDefineTransactionBoundaries":
        return {
          case: "canDefineTransactionBoundaries",
          value: { support: Support.UNSUPPORTED },
        };
      default:
        throw new UnsupportedError(
          `this plugin does not serve ${kind.case ?? "an unknown request"}`,
        );
    }
  }

  /** Ends the Connector instance, if there is one. */
  async stop(connector: string): Promise<void> {
    const instance = this.#instances.get(connector);
    if (instance === undefined) return;
    this.#instances.delete(connector);
    instance.cancel.abort(abortReason("the connector stops"));
    await instance.monitor;
  }

  abandon(reason: string): void {
    for (const instance of this.#instances.values()) instance.cancel.abort(abortReason(reason));
  }

  async #start(connector: string, name: string, texts: ConfigTexts): Promise<void> {
    await this.stop(connector);
    const found = findConnector(this.#host.plugin, name);
    const definition: ConnectorDefinition<ConfigKeys> = found.definition;
    const config = parseConfig(definition.config ?? {}, texts);
    const cancel = new AbortController();
    const context: MonitorContext<ConfigKeys> = {
      connector,
      config,
      texts,
      signal: cancel.signal,
      log: this.#host.log.log({ logger: definition.class, connector }),
      ...this.#host.calls.offsets(connector, undefined),
      requestTaskReconfiguration: () => {
        this.#host.sendEvent({
          connector,
          kind: { case: "requestTaskReconfiguration", value: {} },
        });
      },
    };
    const monitor = this.#monitor(definition, context);
    this.#instances.set(connector, { found, texts, cancel, monitor });
  }

  async #monitor(
    definition: ConnectorDefinition<ConfigKeys>,
    context: MonitorContext<ConfigKeys>,
  ): Promise<void> {
    try {
      await definition.monitor?.(context);
    } catch (error) {
      if (context.signal.aborted) return;
      this.#host.sendEvent({
        connector: context.connector,
        kind: { case: "raiseError", value: { failure: toFailure(error) } },
      });
    }
  }

  async #taskConfigs(
    connector: string,
    tasksMax: number,
    previous: readonly ConfigTexts[],
    signal: AbortSignal,
  ) {
    const instance = this.#instances.get(connector);
    if (instance === undefined) {
      throw new Error(`cannot make task configs: connector ${connector} does not run here`);
    }
    const { found, texts } = instance;
    const definition: ConnectorDefinition<ConfigKeys> = found.definition;
    const made =
      (await definition.taskConfigs?.({
        connector,
        config: parseConfig(definition.config ?? {}, texts),
        texts,
        signal,
        log: this.#host.log.log({ logger: definition.class, connector }),
        ...this.#host.calls.offsets(connector, undefined),
        tasksMax,
        previous,
      })) ?? defaultTaskConfigs(found, texts, tasksMax);
    mustBeTexts(definition.class, made);
    return {
      taskClass: taskClassOf(definition),
      configs: made.map((config) => ({ config: { ...config } })),
    };
  }
}

function mustBeTexts(name: string, made: unknown): void {
  const isTexts = (one: unknown) =>
    typeof one === "object" &&
    one !== null &&
    Object.values(one).every((value) => typeof value === "string");
  if (Array.isArray(made) && made.every(isTexts)) return;
  const shown = inspect(made, { customInspect: false, depth: 0, maxStringLength: 100 });
  throw new TypeError(
    `taskConfigs of ${name} returned ${shown}: it has to return an array of objects with texts`,
  );
}

/** A source that does not say how to split its work has one task; a sink as many as allowed. */
function defaultTaskConfigs(found: ConnectorClass, texts: ConfigTexts, tasksMax: number) {
  return Array.from({ length: found.kind === "source" ? 1 : tasksMax }, () => texts);
}

/** @throws ConfigError that lists the classes there are */
export function findClass(plugin: Plugin, name: string): PluginClass {
  const found = plugin.classes.find((one) => one.definition.class === name);
  if (found !== undefined) return found;
  const known = plugin.classes.map((one) => one.definition.class).join(", ");
  throw new ConfigError(`plugin ${plugin.name} has no class ${name}; it has ${known}`);
}

/** @throws ConfigError when it is none, or not a source or sink */
export function findConnector(plugin: Plugin, name: string): ConnectorClass {
  const found = findClass(plugin, name);
  if (found.kind === "source" || found.kind === "sink") return found;
  throw new ConfigError(`class ${name} is a ${found.kind}, not a source or sink`);
}

/** @throws ConfigError when it is none, or a source or sink */
export function findStage(plugin: Plugin, name: string): StageClass {
  const found = findClass(plugin, name);
  if (found.kind !== "source" && found.kind !== "sink") return found;
  throw new ConfigError(
    `class ${name} is a ${found.kind}, not a transform, predicate or converter`,
  );
}

function supportOf(said: boolean | undefined): Support {
  if (said === undefined) return Support.NOT_SAID;
  return said ? Support.SUPPORTED : Support.UNSUPPORTED;
}

/** What a failed request is answered with. */
export function replyFailure(error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) {
    return failure(FailureCode.CANCELLED, FailureClass.FATAL, "the request was cancelled");
  }
  if (error instanceof UnsupportedError) {
    return failure(FailureCode.UNSUPPORTED, FailureClass.FATAL, error.message);
  }
  return toFailure(error);
}
