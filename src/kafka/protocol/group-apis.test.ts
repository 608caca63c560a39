/** The APIs of groups against bytes written out by hand from the protocol guide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Api } from "./api.ts";
import { heartbeat } from "./heartbeat.ts";
import { joinGroup } from "./join-group.ts";
import { leaveGroup } from "./leave-group.ts";
import { offsetCommit } from "./offset-commit.ts";
import { offsetFetch } from "./offset-fetch.ts";
import { syncGroup } from "./sync-group.ts";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

const bytes = Uint8Array.of(7, 8);
const member = { groupId: "g", generation: 5, memberId: "m", instanceId: null };
const place = { topic: "ab", partition: 3 };
const throttle = "00000001";

interface Case<Request, Response> {
  readonly api: Api<Request, Response>;
  readonly request: Request;
  readonly written: string;
  readonly answered: string;
  readonly response: Response;
}

function check<Request, Response>(c: Case<Request, Response>): void {
  test(`${c.api.name} is written and read as the guide says`, () => {
    const to = new WireWriter();
    c.api.write(to, c.request, c.api.versions.min);
    assert.equal(Buffer.concat(to.parts()).toString("hex"), c.written.replaceAll(" ", ""));
    const from = new WireReader(new Uint8Array(Buffer.from(c.answered.replaceAll(" ", ""), "hex")));
    assert.deepEqual(c.api.read(from, c.api.versions.min), c.response);
    assert.equal(from.leftBytes, 0);
  });
}

check({
  api: joinGroup,
  request: {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    memberId: "",
    instanceId: "i",
    protocolType: "connect",
    protocols: [{ name: "p", metadata: bytes }],
  },
  written:
    "0001 67 00002710 0000ea60 0000 0001 69 0007 636f6e6e656374 00000001 0001 70 00000002 0708",
  answered:
    `${throttle} 0000 00000005 0001 70 0001 6d 0001 6d ` +
    "00000002 0001 6d ffff 00000002 0708 0001 6e 0001 69 00000000",
  response: {
    errorCode: 0,
    generation: 5,
    protocol: "p",
    leaderId: "m",
    isDealt: false,
    memberId: "m",
    members: [
      { memberId: "m", instanceId: null, metadata: bytes },
      { memberId: "n", instanceId: "i", metadata: new Uint8Array() },
    ],
  },
});

check({
  api: syncGroup,
  request: { ...member, assignments: [{ memberId: "m", assignment: bytes }] },
  written: "0001 67 00000005 0001 6d ffff 00000001 0001 6d 00000002 0708",
  answered: `${throttle} 001b 00000002 0708`,
  response: { errorCode: 27, assignment: bytes },
});

check({
  api: heartbeat,
  request: { ...member, instanceId: "i" },
  written: "0001 67 00000005 0001 6d 0001 69",
  answered: `${throttle} 0019`,
  response: { errorCode: 25 },
});

check({
  api: leaveGroup,
  request: member,
  written: "0001 67 00000001 0001 6d ffff",
  answered: `${throttle} 0000 00000001 0001 6d ffff 0019`,
  response: { errorCode: 25 },
});

check({
  api: offsetCommit,
  request: { ...member, offsets: [{ ...place, offset: 9 }] },
  written:
    "0001 67 00000005 0001 6d ffff 00000001 0002 6162 00000001 " +
    "00000003 0000000000000009 ffffffff 0000",
  answered: `${throttle} 00000001 0002 6162 00000001 00000003 0016`,
  response: { partitions: [{ ...place, errorCode: 22 }] },
});

check({
  api: offsetFetch,
  request: { groupId: "g", partitions: null },
  written: "0001 67 ffffffff",
  answered: `${throttle} 00000001 0002 6162 00000001 00000003 ffffffffffffffff ffffffff 0000 0000 0010`,
  response: { errorCode: 16, partitions: [{ ...place, offset: -1, errorCode: 0 }] },
});
