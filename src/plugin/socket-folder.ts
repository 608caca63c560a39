/** The folder of a host's socket: made for it alone, gone with it. */
import { rmSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "bulkhead-plugins-";
const socketName = "host.sock";
/** How many folders of dead hosts are looked for at a start. */
const staleMax = 100;
/**
 * A younger folder is left alone: between the bind and the listen of a host that is just starting its
 * socket refuses too.
 */
const staleAfterMs = 60_000;

export interface SocketFolder {
  readonly socket: string;
  remove(): Promise<void>;
}

/** Makes the folder with mode 0700; it goes when it is removed, or when this process exits. */
export async function makeSocketFolder(): Promise<SocketFolder> {
  await removeStale();
  // mkdtemp makes it with mode 0700.
  const directory = await mkdtemp(join(tmpdir(), prefix));
  const removeAtExit = () => rmSync(directory, { recursive: true, force: true });
  process.on("exit", removeAtExit);
  return {
    socket: join(directory, socketName),
    async remove() {
      process.off("exit", removeAtExit);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A host that was killed could not remove its folder: nobody answers on its socket any more. */
async function removeStale(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const folders = names.filter((name) => name.startsWith(prefix)).slice(0, staleMax);
  await Promise.all(
    folders.map(async (name) => {
      const directory = join(tmpdir(), name);
      if (!(await isOld(directory)) || !(await isRefused(join(directory, socketName)))) return;
      await rm(directory, { recursive: true, force: true }).catch(() => {});
    }),
  );
}

async function isOld(directory: string): Promise<boolean> {
  const found = await stat(directory).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > staleAfterMs;
}

/** A folder without a socket may be that of a host which is just starting: it is not refused. */
function isRefused(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
