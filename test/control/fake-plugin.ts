/** One plugin with a source and a sink class, and tasks that move no records: object literals. */
import { type Deferred, deferred } from "../../src/base/deferred.ts";
import { TaskError } from "../../src/base/error.ts";
import type {
  ConnectorConfig,
  ExitReason,
  PluginClass,
  PluginProcess,
  PluginProcesses,
} from "../../src/plugin/plugin.ts";
import type { CreateTask, TaskMeter } from "../../src/task/task.ts";

const manifest = { name: "fake", version: "4.1.1", directory: ".", command: ["fake"], classes: [] };

function pluginClass(name: string, kind: "source" | "sink"): PluginClass {
  return {
    className: `fake.${name}Connector`,
    kind,
    version: "4.1.1",
    config: [],
    taskClass: `fake.${name}Task`,
    aliases: [],
    documentationUrl: "",
    validates: false,
    plugin: manifest,
  };
}

export const fakeClasses = [pluginClass("Source", "source"), pluginClass("Sink", "sink")];

/** What the fake plugin was asked, and what a test makes it do. */
export class FakePlugin {
  /** `start a`, `stop a`, `configs a 2`, `acquire a`, `release a`, `task start a-0`, … in order. */
  readonly calls: string[] = [];
  /** By connector: the error that its start throws. */
  readonly startErrors = new Map<string, Error>();
  readonly taskConfigErrors = new Map<string, Error>();
  /** By connector: its stop never ends. */
  readonly hangingStops = new Set<string>();
  /** By connector: its task configs come only when it is stopped, as an error. */
  readonly hangingConfigs = new Map<string, Deferred<never>>();
  /** By task: the error that its run throws at once. */
  readonly taskErrors = new Map<string, Error>();
  /** By connector: how many configs it makes, whatever it is allowed. */
  readonly taskCounts = new Map<string, number>();
  readonly #exits = new Map<string, Deferred<ExitReason>>();
  readonly #condemned = new Map<string, AbortController>();
  readonly #tasks = new Map<string, Deferred<void>>();
  #pid = 100;
  alive = 0;
  aliveMax = 0;

  count(call: string): number {
    return this.calls.filter((made) => made === call).length;
  }

  /** The process that holds a connector's instance ends. */
  exit(connector: string): void {
    const text = `plugin process 4711 (fake) was killed by SIGKILL`;
    this.#exits.get(connector)?.resolve({ text, expected: false, lastStderr: ["oh", "no"] });
  }

  /** Something else in the process that holds a connector's instance did not stop. */
  condemn(connector: string): void {
    const error = new TaskError("plugin.condemned", "task b-0 did not stop");
    this.#condemned.get(connector)?.abort(error);
  }

  failTask(key: string, error: Error): void {
    this.#tasks.get(key)?.reject(error);
  }

  readonly acquire: PluginProcesses["acquire"] = async ({ connector }) => {
    this.calls.push(`acquire ${connector}`);
    const exit = deferred<ExitReason>();
    this.#exits.set(connector, exit);
    const condemned = new AbortController();
    this.#condemned.set(connector, condemned);
    this.#pid += 1;
    const process = this.#process(this.#pid, exit.promise);
    return {
      process,
      condemned: condemned.signal,
      release: async () => {
        this.calls.push(`release ${connector}`);
      },
      condemn: async () => {
        this.calls.push(`condemn ${connector}`);
      },
    };
  };

  #process(pid: number, exited: Promise<ExitReason>): PluginProcess {
    const unused = () => {
      throw new Error("not part of this fake");
    };
    return {
      pid,
      plugin: manifest,
      exited,
      startConnector: async (connector: string) => {
        this.calls.push(`start ${connector}`);
        const error = this.startErrors.get(connector);
        if (error !== undefined) throw error;
      },
      stopConnector: async (connector: string) => {
        this.calls.push(`stop ${connector}`);
        this.hangingConfigs.get(connector)?.reject(pluginError("cancelled"));
        if (this.hangingStops.has(connector)) await new Promise(() => {});
      },
      taskConfigs: async (connector: string, tasksMax: number) => {
        this.calls.push(`configs ${connector} ${tasksMax}`);
        await this.hangingConfigs.get(connector)?.promise;
        const error = this.taskConfigErrors.get(connector);
        if (error !== undefined) throw error;
        const count = this.taskCounts.get(connector) ?? tasksMax;
        const configs = Array.from(
          { length: count },
          (_, i): ConnectorConfig => ({ part: `${i}` }),
        );
        return { taskClass: "fake.Task", configs };
      },
      openStage: unused,
      startSourceTask: unused,
      startSinkTask: unused,
    };
  }

  readonly createTask: CreateTask = (spec, _parts, target, onState) => {
    const key = `${spec.id.connector}-${spec.id.task}`;
    const over = deferred();
    const word = (now: string) => (now === "STARTED" ? "RUNNING" : "PAUSED");
    return {
      id: spec.id,
      meter: {} as TaskMeter,
      pid: 1,
      setTarget: (now) => {
        this.calls.push(`task ${word(now)} ${key}`);
        onState(word(now));
      },
      run: async (signal) => {
        this.calls.push(`task start ${key}`);
        const error = this.taskErrors.get(key);
        if (error !== undefined) throw error;
        this.#tasks.set(key, over);
        this.alive += 1;
        this.aliveMax = Math.max(this.alive, this.aliveMax);
        onState(word(target));
        signal.addEventListener("abort", () => over.resolve(), { once: true });
        await over.promise.finally(() => {
          this.alive -= 1;
        });
        this.calls.push(`task stop ${key}`);
      },
    };
  };
}

/** A failure as the plugin side of the host would throw it. */
export function pluginError(text: string): TaskError {
  return new TaskError("plugin.task_failed", text, { trace: `fake.Exception: ${text}\n\tat fake` });
}
