import { test } from "node:test";
import { temporaryDirectory } from "../harness/host-process.ts";
import { killRound, type Victim } from "./kill-round.ts";

const rounds = 5;
const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
const victims: Victim[] = ["source plugin", "sink plugin", "host"];

for (const victim of victims) {
  test(`I7: no line is lost while the ${victim} is killed, ${rounds} rounds`, async (context) => {
    const directory = await temporaryDirectory(context);
    const again = `BULKHEAD_SEED=${seed} node --import tsx --test test/fault/kill.test.ts`;
    // Before the rounds, so that it is known also when one fails or hangs.
    context.diagnostic(`to repeat: ${again}`);
    const { lines, repeated } = await killRound({ directory, victim, seed, kills: 2, rounds });
    context.diagnostic(`seed ${seed}: ${lines} lines, ${repeated} repeated`);
  });
}
