/** Says how much of a core the machine gives to a program that only computes. Other programs take the rest. */
const SPIN_MS = 100;

/** @returns 1 if nothing else wanted the core. */
export function shareOfCore(): number {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  while (performance.now() - startedAt < SPIN_MS);
  const { user, system } = process.cpuUsage(before);
  return Math.min(1, (user + system) / 1_000 / (performance.now() - startedAt));
}
