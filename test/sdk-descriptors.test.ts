/** The SDK's bundle has its descriptors as object literals: they say what the generated code says. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
// @ts-expect-error a script of the build, without types
import { descriptorModule } from "../src/descriptor-module.mjs";
import { repository, temporaryDirectory } from "./harness/host-process.ts";

const generated = join(repository, "sdk/typescript/dist/gen/bulkhead/plugin/v1");

test("descriptors in the bundle are those of the generated code", async (t) => {
  const directory = await temporaryDirectory(t);
  const names = (await readdir(generated)).filter((name) => name.endsWith("_pb.js"));
  assert.ok(names.length >= 8, names.join());
  await mkdir(join(directory, "node_modules"));
  await symlink(
    join(repository, "node_modules/@bufbuild"),
    join(directory, "node_modules/@bufbuild"),
  );
  await writeFile(join(directory, "package.json"), '{"type":"module"}');
  for (const name of names) {
    const module = await import(pathToFileURL(join(generated, name)).href);
    const text = descriptorModule(await readFile(join(generated, name), "utf8"), module);
    assert.ok(!/fileDesc\("\w/.test(text), `${name} still has protobuf's own encoding`);
    await writeFile(join(directory, name), text);
  }
  for (const name of names) {
    const plain = await import(pathToFileURL(join(generated, name)).href);
    const literal = await import(pathToFileURL(join(directory, name)).href);
    assert.deepEqual(Object.keys(literal), Object.keys(plain), name);
    assert.deepEqual(fileOf(literal), fileOf(plain), name);
  }
});

/** Its description, and how each field is told from another one, down to the presence of a value. */
function fileOf(module: Record<string, unknown>) {
  const [, file] = Object.entries(module).find(([name]) => name.startsWith("file_")) as [
    string,
    DescFile,
  ];
  const messages = file.messages.map(({ typeName, fields }) => ({
    typeName,
    fields: fields.map(({ name, jsonName, number, presence, fieldKind, oneof }) => ({
      name,
      jsonName,
      number,
      presence,
      fieldKind,
      oneof: oneof?.name,
    })),
  }));
  const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)).toString("base64");
  return { bytes, messages, dependencies: file.dependencies.map(({ name }) => name) };
}
