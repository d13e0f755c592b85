/** Reads the alerts and dashboards of `deploy`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');
export const PROMETHEUS = join(ROOT, 'deploy', 'prometheus');
const GRAFANA = join(ROOT, 'deploy', 'grafana');

export interface Alert {
  readonly name: string;
  readonly expr: string;
  readonly severity: string;
  /** Path of its page, from the root of the repository. */
  readonly runbook: string;
}

export function alerts(): Alert[] {
  const [, ...texts] = readFileSync(join(PROMETHEUS, 'rules.yml'), 'utf8').split('- alert: ');
  return texts.map((text) => {
    const field = (name: string) => new RegExp(`^ *${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
    return {
      name: text.split('\n')[0] ?? '',
      expr: field('expr').slice(1, -1).replaceAll("''", "'"),
      severity: field('severity'),
      runbook: field('runbook'),
    };
  });
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
}

export function dashboards(): Dashboard[] {
  return readdirSync(GRAFANA).map((file) => ({ file, ...JSON.parse(readFileSync(join(GRAFANA, file), 'utf8')) }));
}
