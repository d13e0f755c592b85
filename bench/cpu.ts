import { readFile } from 'node:fs/promises';

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
