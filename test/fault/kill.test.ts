import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../harness/host-process.ts";
import { killRound, type Victim } from "./kill-round.ts";

const rounds = 5;
/** Of the first round; the next ones count on from it. */
const firstSeed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
const victims: Victim[] = ["source plugin", "sink plugin", "host"];

for (const victim of victims) {
  test(`I7: no line is lost while the ${victim} is killed, ${rounds} rounds`, async (context) => {
    const directory = await temporaryDirectory(context);
    for (let round = 1; round <= rounds; round += 1) {
      const seed = firstSeed + round - 1;
      const own = join(directory, String(round));
      await mkdir(own);
      const again = `BULKHEAD_SEED=${seed} node --import tsx --test test/fault/kill.test.ts`;
      // Before the round, so that it is known also when the round fails or hangs.
      context.diagnostic(`round ${round}; to repeat: ${again}`);
      const { lines, repeated } = await killRound({ directory: own, victim, seed, kills: 2 });
      context.diagnostic(`seed ${seed}: ${lines} lines, ${repeated} repeated`);
    }
  });
}
