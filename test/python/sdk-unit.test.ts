/** The Python SDK's own tests, with the environment's Python. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";

const { python, missing } = await pythonEnvironment();

test("the tests of the Python SDK pass", { skip: missing ?? false }, () => {
  const args = ["-X", "dev", "-W", "error::ResourceWarning", "-m", "unittest", "discover", "-s"];
  const cwd = join(repository, "sdk", "python");
  const options = { cwd, encoding: "utf8", timeout: 120_000 } as const;
  const { status, stderr, error } = spawnSync(python, [...args, "tests"], options);
  assert.equal(error, undefined);
  assert.equal(status, 0, stderr);
  // A folder without tests passes too.
  assert.match(stderr, /Ran \d{2,} tests/);
});
