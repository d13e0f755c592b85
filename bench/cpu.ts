import { readFile } from 'node:fs/promises';
import type { Redis } from 'ioredis';

/**
 * The user and system time of a process from `/proc/<pid>/stat`, where they are fields 14 and 15, in hundredths of a second. Fields
 * are counted after the process's name (field 2), because the name may contain spaces.
 * @returns ms; NaN if the system does not say.
 */
export async function cpuMs(pid: number): Promise<number> {
  if (process.platform !== 'linux') return Number.NaN;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** CPU time of the Redis server, with its background threads, ms. */
export async function redisCoreMs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1_000;
}
