/** Words on the command line that mean nothing: the usage, on stderr, and exit status 1. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryDirectory } from "../harness/host-process.ts";
import { assertNothingLeft, bulkhead } from "./program.ts";

const wrong: { name: string; args: string[]; says: RegExp; usage: string }[] = [
  { name: "nothing at all", args: [], says: /^Usage: bulkhead /, usage: "bulkhead" },
  {
    name: "an unknown command",
    args: ["nonsense"],
    says: /unknown command 'nonsense'/,
    usage: "bulkhead",
  },
  {
    name: "a mistyped command",
    args: ["standalon"],
    says: /Did you mean standalone\?/,
    usage: "bulkhead",
  },
  {
    name: "an unknown option",
    args: ["--verbose"],
    says: /unknown option '--verbose'/,
    usage: "bulkhead",
  },
  {
    name: "standalone without a worker file",
    args: ["standalone"],
    says: /missing required argument 'worker.properties'/,
    usage: "bulkhead standalone",
  },
  {
    name: "an unknown option of a command",
    args: ["standalone", "--daemon", "w.properties"],
    says: /unknown option '--daemon'/,
    usage: "bulkhead standalone",
  },
  {
    name: "a word too many",
    args: ["quickstart", "now"],
    says: /too many arguments for 'quickstart'/,
    usage: "bulkhead quickstart",
  },
  {
    name: "a time that is none",
    args: ["quickstart", "--for", "soon"],
    says: /'soon' is invalid\. It must be a number of seconds above 0, for example --for 10/,
    usage: "bulkhead quickstart",
  },
];

for (const { name, args, says, usage } of wrong) {
  test(`${name} is answered with the usage`, async (context) => {
    const directory = await temporaryDirectory(context);
    const { status, stdout, stderr } = await bulkhead(args, { directory });
    assert.match(stderr, says);
    assert.ok(stderr.includes(`Usage: ${usage} `), stderr);
    assert.equal(stdout, "", "stdout is for what was asked for");
    assert.equal(status, 1);
    await assertNothingLeft(directory);
  });
}

const asked: { args: string[]; has: string[] }[] = [
  { args: ["--help"], has: ["Usage: bulkhead ", "standalone ", "quickstart "] },
  { args: ["standalone", "--help"], has: ["worker.properties", "connector", "bootstrap.servers"] },
  { args: ["help", "quickstart"], has: ["--for <seconds>"] },
];

for (const { args, has } of asked) {
  test(`bulkhead ${args.join(" ")} writes the help to stdout`, async (context) => {
    const directory = await temporaryDirectory(context);
    const { status, stdout, stderr } = await bulkhead(args, { directory });
    for (const words of has) assert.ok(stdout.includes(words), stdout);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });
}
