/** JoinGroup as Apache's consumers and brokers wrote it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { joinGroup } from "../../src/kafka/protocol/join-group.ts";
import { WireReader } from "../../src/kafka/protocol/wire-reader.ts";
import { WireWriter } from "../../src/kafka/protocol/wire-writer.ts";

const file = new URL("../goldens/consumer-protocol.json", import.meta.url);
const { payloads, joins } = JSON.parse(await readFile(file, "utf8"));
const bytesOf = (name: string) => Buffer.from(payloads[name].hex, "hex");
/** The header's tags are the connection's business. */
const headerHex = "00";

for (const [n, { api, body, decoded }] of joins.entries()) {
  test(`${api} ${n + 1} is read and written as it was recorded`, () => {
    if (api.endsWith("request")) {
      const { group, groupInstanceId, protocols, ...rest } = decoded;
      const to = new WireWriter();
      const offered = protocols.map(({ name, metadata }: { name: string; metadata: string }) => ({
        name,
        metadata: bytesOf(metadata),
      }));
      const request = { ...rest, groupId: group, instanceId: groupInstanceId, protocols: offered };
      joinGroup.write(to, request, 9);
      assert.equal(headerHex + Buffer.concat(to.parts()).toString("hex"), body);
      return;
    }
    const from = new WireReader(Buffer.from(body.slice(headerHex.length), "hex"));
    const { members, ...rest } = joinGroup.read(from, 9);
    assert.equal(from.leftBytes, 0);
    const { error, generation, protocol, leader, skipAssignment, memberId } = decoded;
    assert.deepEqual(rest, {
      errorCode: error,
      generation,
      protocol: protocol ?? "",
      leaderId: leader,
      isDealt: skipAssignment,
      memberId,
    });
    assert.deepEqual(
      members.map((each) => [each.memberId, Buffer.from(each.metadata).toString("hex")]),
      decoded.members.map((each: { memberId: string; metadata: string }) => [
        each.memberId,
        payloads[each.metadata].hex,
      ]),
    );
  });
}
