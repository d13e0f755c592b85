/** Prometheus and promtool of the distribution. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../src/dev/free-port.ts';
import { startTethered } from '../../src/dev/tethered-process.ts';
import { type DebianProgram, findProgram } from './debian-program.ts';

const PROMTOOL: DebianProgram = {
  names: ['promtool'],
  packages: ['prometheus'],
  path: 'usr/bin/promtool',
  versionArgs: ['--version'],
};

/** @returns the exit code, and what it wrote to stdout and stderr. */
export async function promtool(args: readonly string[], input = ''): Promise<{ code: number; output: string }> {
  const { path, env } = await findProgram(PROMTOOL);
  const child = spawn(path, args, { env: { PATH: process.env.PATH, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code: code as number, output };
}

export interface PrometheusOptions {
  /** A folder of its own. */
  readonly dir: string;
  /** Path of the file with the alerts. */
  readonly rules?: string;
  readonly flags?: readonly string[];
}

export interface RunningPrometheus {
  /** Scrapes the processes with these monitor ports from now on, and no others. */
  scrape(...urls: readonly string[]): Promise<void>;
  /** Address of a path of its API. */
  url(path: string): string;
  /** Asks its API. */
  ask<T>(path: string): Promise<Answer<T>>;
  query(expr: string): Promise<Answer<{ readonly result: readonly Sample[] }>>;
  /** @returns how many series a query finds; 0 while Prometheus does not answer. */
  count(expr: string): Promise<number>;
  /** @returns the alerts that are pending or fire; none while Prometheus does not answer. */
  alerts(): Promise<FoundAlert[]>;
  stop(): Promise<unknown>;
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  /** Absent after an error. */
  readonly data?: T;
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

export interface FoundAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** Starts Prometheus, which scrapes every second, under the name of the job that the alerts expect. */
export async function startPrometheus({ dir, rules, flags = [] }: PrometheusOptions): Promise<RunningPrometheus> {
  await mkdir(dir, { recursive: true });
  const [file, targets] = [join(dir, 'prometheus.yml'), join(dir, 'targets.json')];
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: rules === undefined ? [] : [rules],
    scrape_configs: [{ job_name: 'bestframe', file_sd_configs: [{ files: [targets], refresh_interval: '1s' }] }],
  };
  const scrape = (...urls: readonly string[]) =>
    writeFile(targets, JSON.stringify([{ targets: urls.map((url) => new URL(url).host) }]));
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  await scrape();
  const { path, env } = await findProgram({ ...PROMTOOL, names: ['prometheus'], path: 'usr/bin/prometheus' });
  const port = await freePort();
  const server = startTethered(
    path,
    [`--config.file=${file}`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${port}`, ...flags],
    { dir, env },
  );
  const url = (question: string) => `http://127.0.0.1:${port}/api/v1/${question}`;
  const ask = async <T>(question: string) => (await (await fetch(url(question))).json()) as Answer<T>;
  const query = (expr: string) =>
    ask<{ readonly result: readonly Sample[] }>(`query?query=${encodeURIComponent(expr)}`);
  return {
    scrape,
    url,
    ask,
    query,
    count: async (expr) => (await query(expr).catch(() => null))?.data?.result.length ?? 0,
    alerts: async () => (await ask<{ alerts: FoundAlert[] }>('alerts').catch(() => null))?.data?.alerts ?? [],
    stop: () => server.stop(),
  };
}
