/** The keys of transforms, predicates and converters as clients get them (test/goldens/configdef). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { RestServer } from "../../src/rest/rest.ts";
import { predicateFactories, transformFactories } from "../../src/transform/stage-classes.ts";
import { startMemoryRest } from "../harness/memory-rest.ts";

const folder = new URL("../goldens/configdef/", import.meta.url);

interface Golden {
  readonly id: string;
  readonly request: string;
  readonly status: number;
  readonly body: unknown;
}

function withoutWords(body: unknown): unknown {
  if (!Array.isArray(body)) return body;
  return body.map((key) => ({ ...key, documentation: typeof key.documentation }));
}

describe("keys of the classes that come with the host", () => {
  let rest: RestServer;
  before(async () => {
    rest = await startMemoryRest();
  });
  after(() => rest?.close());

  async function ask(path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(new URL(path, rest.url));
    return { status: response.status, body: await response.json() };
  }

  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const golden: Golden = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
    test(`${golden.id} are as recorded`, async () => {
      const { status, body } = await ask(golden.request.replace("GET ", ""));
      assert.equal(status, golden.status);
      assert.deepEqual(withoutWords(body), withoutWords(golden.body));
    });
  }

  test("every transform and predicate answers by its full name", async () => {
    const factories = [...transformFactories, ...predicateFactories];
    assert.equal(factories.length, 2 * 10 + 6 + 3);
    for (const { className, keys } of factories) {
      const { status, body } = await ask(
        `/connector-plugins/${encodeURIComponent(className)}/config`,
      );
      assert.equal(status, 200, className);
      const names = (body as { name: string }[]).map(({ name }) => name);
      assert.deepEqual(
        names,
        keys.map(({ name }) => name),
      );
    }
  });
});
