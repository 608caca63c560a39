import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../harness/host-process.ts";
import { killRound, type Victim } from "./kill-round.ts";

const rounds = 5;
const victims: Victim[] = ["source plugin", "sink plugin", "host"];

for (const victim of victims) {
  test(`I7: no line is lost while the ${victim} is killed, ${rounds} rounds`, async (context) => {
    const directory = await temporaryDirectory(context);
    for (let round = 1; round <= rounds; round += 1) {
      const seed = (Date.now() + round * 7_919) % 1_000_000;
      const own = join(directory, String(round));
      await mkdir(own);
      const { lines, repeated } = await killRound({ directory: own, victim, seed, kills: 2 });
      context.diagnostic(`seed ${seed}: ${lines} lines, ${repeated} repeated`);
    }
  });
}
