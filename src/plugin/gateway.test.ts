import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:http2";
import net from "node:net";
import { dirname } from "node:path";
import { test } from "node:test";
import { within } from "../base/deadline.ts";
import { Gateway } from "./gateway.ts";

test("the socket lies in a folder of its own that only the host may enter, and goes with it", async () => {
  const gateway = await open();
  const socket = gateway.address.slice("unix:".length);
  assert.ok(Buffer.byteLength(socket) <= 107);
  assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
  await gateway.close();
  assert.equal(existsSync(dirname(socket)), false);
});

test("the server offers the window that was asked for, to a stream and to the connection", async (t) => {
  const gateway = await open();
  t.after(() => gateway.close());
  const session = connect("http://localhost", {
    createConnection: () => net.connect(gateway.address.slice("unix:".length)),
  });
  // The gateway's end breaks the connection off.
  session.on("error", () => {});
  const told = new Promise<{ initialWindowSize?: number }>((resolve) =>
    session.once("remoteSettings", resolve),
  );
  const settings = await within(told, 20_000, undefined);
  assert.equal(settings?.initialWindowSize, 4 * 1_024 * 1_024);
  await new Promise((resolve) => session.ping(resolve));
  assert.equal(session.state.remoteWindowSize, 4 * 1_024 * 1_024);
});

test("a stranger who says nothing is sent away", async (t) => {
  const gateway = await open(200);
  t.after(() => gateway.close());
  const session = connect("http://localhost", {
    createConnection: () => net.connect(gateway.address.slice("unix:".length)),
  });
  // The gateway's end breaks the connection off.
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": "/bulkhead.plugin.v1.PluginHost/Session",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const status = new Promise((resolve) =>
    stream.once("response", (headers) => resolve(headers["grpc-status"])),
  );
  assert.equal(await within(status, 20_000, "none"), "4");
});

function open(helloMsMax = 5_000): Promise<Gateway> {
  return Gateway.open({
    messageBytesMax: 1_024 * 1_024,
    windowBytes: 4 * 1_024 * 1_024,
    helloMsMax,
    refuse: () => {},
  });
}
