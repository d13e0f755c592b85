/** A client of the control port, for tests and scripts. */
import type { CallEntry, CallQuery } from './call-log.ts';
import type { Fault } from './faults.ts';
import type { PlayStep } from './play-step.ts';
import type { SessionEnd, SessionState } from './sessions.ts';
import type { Settings } from './settings.ts';

export type { CallEntry, CallQuery } from './call-log.ts';
export type { Fault } from './faults.ts';
export type { PlayStep } from './play-step.ts';

type SettingsPatch = {
  [Name in keyof Settings]?: Settings[Name] extends object ? Partial<Settings[Name]> : Settings[Name];
};

export interface SessionView {
  /** The name of the session in the log. */
  readonly id: string;
  readonly token: string;
  /** The action that issued the token. */
  readonly action: string;
  readonly region: string;
  /** Ms since 1970, by the vendor's clock. */
  readonly createdAt: number;
  readonly state: SessionState;
  readonly end: SessionEnd | null;
  /** The result codes of the attempts so far. */
  readonly codes: readonly string[];
  readonly retryLimit: number;
  readonly chargeCount: number;
  /** Where a web page sends the person in the end, with the token. Null for apps. */
  readonly redirect: string | null;
}

export class EmulatorControl {
  readonly #url: string;

  /** @param url `controlUrl` of the emulator. */
  constructor(url: string) {
    this.#url = url;
  }

  /** Changes the named settings. @returns all settings. */
  settings(patch: SettingsPatch = {}): Promise<Settings> {
    return this.#send('PATCH', '/settings', JSON.stringify(patch));
  }

  /** Adds a fault. @returns its id, for `release`. */
  async fault(fault: Fault): Promise<string> {
    return (await this.#send<{ id: string }>('POST', '/faults', JSON.stringify(fault))).id;
  }

  /** Releases the calls that a `hold` fault holds. */
  async release(id: string): Promise<void> {
    await this.#send('POST', `/faults/release?id=${id}`);
  }

  async clearFaults(): Promise<void> {
    await this.#send('DELETE', '/faults');
  }

  /** The calls logged so far. */
  calls(query: CallQuery = {}): Promise<CallEntry[]> {
    return this.#send('GET', `/calls?${toQuery(query)}`);
  }

  /** Waits until `atLeast` calls are logged. @throws Error if they do not arrive within `timeoutMs`. */
  async waitFor(query: CallQuery, atLeast = 1, timeoutMs = 60_000): Promise<CallEntry[]> {
    const found = await this.#send<CallEntry[]>('GET', `/calls?${toQuery({ ...query, atLeast, timeoutMs })}`);
    if (found.length >= atLeast) return found;
    throw new Error(
      `only ${found.length} of ${atLeast} calls arrived within ${timeoutMs} ms: ${JSON.stringify(query)}`,
    );
  }

  objects(): Promise<{ bucket: string; key: string; sizeBytes: number; md5: string }[]> {
    return this.#send('GET', '/objects');
  }

  /** All versions and delete markers of all objects. Each object's newest version comes first. */
  versions(): Promise<{ bucket: string; key: string; versionId: string; latest: boolean; deleted: boolean }[]> {
    return this.#send('GET', '/versions');
  }

  /** The sessions behind all tokens, oldest first. */
  sessions(): Promise<SessionView[]> {
    return this.#send('GET', '/sessions');
  }

  /** Takes a step of a session in place of the phone or the web page. @throws Error if the phone could not take it. */
  play(step: PlayStep): Promise<SessionView> {
    return this.#send('POST', '/sessions/play', JSON.stringify(step));
  }

  /** Writes an object without authentication. */
  putObject(bucket: string, key: string, body: Buffer): Promise<{ sizeBytes: number; md5: string }> {
    return this.#send('PUT', `/objects?${toQuery({ bucket, key })}`, body);
  }

  /** Publishes a page on another web server. @param url `https://host/path`. */
  async putOrigin(url: string, body: Buffer, options: { location?: string; status?: number } = {}): Promise<void> {
    await this.#send('PUT', `/origins?${toQuery({ url, ...options })}`, body);
  }

  /** Resets faults, settings, rates, origins and the copy of the log in memory. Objects, buckets and the log file stay. */
  async reset(): Promise<void> {
    await this.#send('POST', '/reset');
  }

  async #send<T>(method: string, path: string, body?: string | Buffer): Promise<T> {
    const content = typeof body === 'object' ? new Uint8Array(body) : body;
    const init = { method, ...(content === undefined ? {} : { body: content }) };
    const response = await fetch(`${this.#url}${path}`, init);
    const value = (await response.json()) as T & { error?: string };
    if (!response.ok) throw new Error(`the emulator refused ${method} ${path}: ${value.error}`);
    return value;
  }
}

function toQuery(values: object): string {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  return new URLSearchParams(Object.fromEntries(present.map(([name, value]) => [name, String(value)]))).toString();
}
