/** On what a figure was measured. Names no host. */
import { arch, cpus, platform, release, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly kernel: string;
}

/** This machine. */
export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cpu: `${processors[0]?.model ?? "unknown"} (${arch()})`,
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    kernel: `${platform()} ${release()}`,
  };
}
