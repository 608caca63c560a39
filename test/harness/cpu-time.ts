/** Milliseconds of CPU that this process has used: what others take from a busy machine is not among them. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
