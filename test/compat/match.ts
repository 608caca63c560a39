/** JSON paths and the comparison of an answer with a recorded one. */

/** A place where an answer differs; `undefined` = absent. */
export interface Difference {
  readonly at: string;
  readonly golden: unknown;
  readonly answer: unknown;
}

/** `$.a.b[0].c`; `#` is the length. Undefined where the path leads nowhere. */
export function getPath(document: unknown, path: string): unknown {
  let at: unknown = document;
  for (const token of tokensOf(path)) {
    if (token === "#") {
      if (Array.isArray(at)) return at.length;
      return isObject(at) ? Object.keys(at).length : undefined;
    }
    at = child(at, token);
    if (at === undefined) return undefined;
  }
  return at;
}

/** Replaces what is at a path, where there is something; `*` stands for every member. */
export function setPath(document: unknown, path: string, value: unknown): void {
  const tokens = tokensOf(path);
  walk(document, 0);

  function walk(node: unknown, depth: number): void {
    const token = tokens[depth];
    if (token === undefined || node === null || typeof node !== "object") return;
    const keys = token === "*" ? Object.keys(node) : [token];
    for (const key of keys) {
      if (child(node, key) === undefined) continue;
      if (depth === tokens.length - 1) (node as Record<string | number, unknown>)[key] = value;
      else walk(child(node, key), depth + 1);
    }
  }
}

/** Everywhere an answer differs from its golden, which may hold patterns such as `<<version>>`. */
export function differences(golden: unknown, answer: unknown, at = "$"): Difference[] {
  const here = [{ at, golden, answer }];
  if (typeof golden === "string") return matchesText(golden, answer) ? [] : here;
  if (Array.isArray(golden)) {
    if (!Array.isArray(answer)) return here;
    const length = Math.max(golden.length, answer.length);
    return Array.from({ length }, (_, i) => {
      if (i < golden.length && i < answer.length) {
        return differences(golden[i], answer[i], `${at}[${i}]`);
      }
      return [{ at: `${at}[${i}]`, golden: golden[i], answer: answer[i] }];
    }).flat();
  }
  if (!isObject(golden)) return golden === answer ? [] : here;
  const wanted = golden["<<superset>>"];
  if (Array.isArray(wanted)) {
    if (!Array.isArray(answer)) return here;
    return wanted
      .filter((each) => !answer.some((item) => differences(each, item).length === 0))
      .map((each) => ({ at: `${at}[]`, golden: each, answer: undefined }));
  }
  if (!isObject(answer)) return here;
  const missing = Object.entries(golden).flatMap(([key, value]) => {
    if (key in answer) return differences(value, answer[key], `${at}.${key}`);
    return value === "<<any>>" ? [] : [{ at: `${at}.${key}`, golden: value, answer: undefined }];
  });
  const extra = Object.entries(answer)
    .filter(([key]) => !(key in golden))
    .map(([key, value]) => ({ at: `${at}.${key}`, golden: undefined, answer: value }));
  return [...missing, ...extra];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function matchesText(golden: string, answer: unknown): boolean {
  const text = typeof answer === "string" ? answer : undefined;
  if (golden === "<<any>>") return true;
  if (golden === "<<text>>") return text !== undefined && text !== "";
  if (golden === "<<int>>") return Number.isInteger(answer);
  if (golden === "<<version>>") return text !== undefined && /^\d+\.\d+/.test(text);
  if (golden === "<<worker>>") return text !== undefined && /^\S+:\d+$/.test(text);
  if (golden.startsWith("<<prefix>>")) return text?.startsWith(golden.slice(10)) ?? false;
  if (golden.startsWith("<<like>>")) {
    const parts = golden.slice(8).split("*");
    const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*");
    return text !== undefined && new RegExp(`^${pattern}$`, "s").test(text);
  }
  return golden === answer;
}

function tokensOf(path: string): (string | number)[] {
  const found = path.slice(1).matchAll(/\.((?:[^.[\]]|\\.)+)|\[(\d+)\]/g);
  return [...found].map(([, name, index]) => (index === undefined ? (name ?? "") : Number(index)));
}

function child(node: unknown, token: string | number): unknown {
  if (node === null || typeof node !== "object") return undefined;
  return (node as Record<string | number, unknown>)[token];
}
