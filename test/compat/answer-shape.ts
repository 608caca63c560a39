/** The parts of an answer that a step looks at, in a form that can be compared. */
import { getPath, isObject, setPath } from "./match.ts";
import type { Step, StepAnswer } from "./session.ts";

/** `run` is the token in all names of this run. */
export function shape(step: Step, answer: Record<string, unknown>, run: string): StepAnswer {
  if (!("body" in answer)) return answer;
  let body = answer["body"];
  if (step.only) body = onlyOurs(body, run);
  if (step.pick !== undefined) {
    const picked = getPath(body, step.pick);
    body = picked === undefined ? "<missing>" : picked;
  }
  if (step.where && Array.isArray(body)) body = sorted(body.filter((item) => fits(item, step)));
  const tasks = isObject(body) ? body["tasks"] : undefined;
  if (isObject(body) && step.do?.includes("/restart") && Array.isArray(tasks)) {
    body = { ...body, tasks: [...tasks].sort((a, b) => Number(a?.id) - Number(b?.id)) };
  }
  if (step.unordered && Array.isArray(body)) body = sorted(body);
  if (isObject(body) && Array.isArray(body["configs"]) && "error_count" in body) {
    body = validationShape(body, body["configs"], step.project === "errors");
  }
  for (const path of step.ignore ?? []) setPath(body, path, "<<any>>");
  return { ...answer, body };
}

function onlyOurs(body: unknown, run: string): unknown {
  if (Array.isArray(body)) return body.filter((each) => String(each).includes(run)).sort();
  if (!isObject(body)) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => name.includes(run)));
}

function fits(item: unknown, step: Step): boolean {
  return (
    isObject(item) &&
    Object.entries(step.where ?? {}).every(([key, values]) => values.includes(item[key]))
  );
}

/** As the goldens were sorted: by JSON text with sorted keys. */
function sorted(items: readonly unknown[]): unknown[] {
  const keyOf = (item: unknown) =>
    isObject(item)
      ? JSON.stringify(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : JSON.stringify(item);
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

interface Config {
  readonly definition: { readonly name?: unknown } | null;
  readonly value: { readonly name?: unknown; value?: unknown; errors?: unknown } | null;
}

/** The list of keys as a map and an order; or the errors alone. */
function validationShape(
  body: Record<string, unknown>,
  configs: readonly Config[],
  errorsOnly: boolean,
): unknown {
  const nameOf = (each: Config) => String((each.definition ?? each.value)?.name);
  const { configs: _configs, ...rest } = body;
  if (!errorsOnly) {
    const map = Object.fromEntries(configs.map((each) => [nameOf(each), each]));
    return { ...rest, configs: map, order: configs.map(nameOf) };
  }
  const wrong = configs.filter(
    ({ value }) => Array.isArray(value?.errors) && value.errors.length > 0,
  );
  const errors = wrong.map((each) => [
    nameOf(each),
    { value: each.value?.value, errors: each.value?.errors },
  ]);
  const { name, error_count } = body;
  return { name, error_count, errors: Object.fromEntries(errors) };
}
