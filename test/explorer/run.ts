/** Explores one scenario depth first. If a promise is broken, searches again breadth first, to show the shortest schedule. */
import type { Redis } from 'ioredis';
import { Explorer, type Options, prefixFor, type Report } from './engine.ts';
import type { Scenario } from './scenarios.ts';
import type { TextChange } from './snapshot.ts';

export interface RunOptions extends Pick<Options, 'onState'> {
  /** Stops after this many states. */
  readonly most: number;
  readonly redis: Redis;
  /** Changes of the scripts, which remove a protection. */
  readonly changes?: readonly TextChange[];
  /** Searches breadth first from the start. */
  readonly shortest?: boolean;
}

export async function explore(scenario: Scenario, options: RunOptions): Promise<Report> {
  const prefix = prefixFor(`${process.pid}`, scenario.name + JSON.stringify(options.changes ?? []));
  const search = async (how: 'explore' | 'shortest', most: number) => {
    const all = { ...options, prefix, most };
    const explorer = await Explorer.open(scenario, all);
    try {
      return await explorer[how](all);
    } finally {
      await explorer.end();
    }
  };
  if (options.shortest === true) return search('shortest', options.most);
  const report = await search('explore', options.most);
  if (report.found === null) return report;
  // If the breadth-first search reaches its limit first, show the schedule that the depth-first search found.
  const { found } = await search('shortest', options.most * 10);
  return { ...report, found: found ?? report.found };
}
