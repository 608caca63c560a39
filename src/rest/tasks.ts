/** `/connectors/{name}/tasks`. */
import type { Herder } from "../herder/herder.ts";
import { type Answer, frameworkAnswer } from "./http-error.ts";
import { type Call, param, type Resource } from "./resource.ts";

/** The resources. */
export function taskResources(herder: Herder): readonly Resource[] {
  return [
    {
      path: "/connectors/:name/tasks",
      methods: {
        GET: {
          handle: async (call) => ({ status: 200, body: await herder.tasks(param(call, "name")) }),
        },
      },
    },
    {
      path: "/connectors/:name/tasks/:task/status",
      methods: {
        GET: {
          handle: (call) =>
            withTask(call, async (name, task) => ({
              status: 200,
              body: herder.taskStatus(name, task),
            })),
        },
      },
    },
    {
      path: "/connectors/:name/tasks/:task/restart",
      methods: {
        POST: {
          handle: (call) =>
            withTask(call, async (name, task) => {
              await herder.restartTask(name, task);
              return { status: 204 };
            }),
        },
      },
    },
  ];
}

const int32Max = 2 ** 31 - 1;

/** A task number that is no Java int is a path that does not exist. */
function withTask(
  call: Call,
  handle: (name: string, task: number) => Promise<Answer>,
): Promise<Answer> {
  const text = param(call, "task");
  const task = Number(text);
  if (!/^[+-]?\d+$/.test(text) || task > int32Max || task < -int32Max - 1) {
    return Promise.resolve(frameworkAnswer(404));
  }
  return handle(param(call, "name"), task);
}
