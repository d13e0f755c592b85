/** The control port from a test or a script: faults, settings, objects, and the call log to wait on. */
import type { CallEntry, CallQuery } from './call-log.ts';
import type { Fault } from './faults.ts';
import type { Settings } from './settings.ts';

export type { CallEntry, CallQuery } from './call-log.ts';
export type { Fault } from './faults.ts';

type Changes = { [Name in keyof Settings]?: Settings[Name] extends object ? Partial<Settings[Name]> : Settings[Name] };

export class EmulatorControl {
  readonly #url: string;

  /** @param url `controlUrl` of the emulator. */
  constructor(url: string) {
    this.#url = url;
  }

  settings(changes: Changes = {}): Promise<Settings> {
    return this.#ask('PATCH', '/settings', JSON.stringify(changes));
  }

  /** @returns the fault's id, for `release`. */
  async fault(fault: Fault): Promise<string> {
    return (await this.#ask<{ id: string }>('POST', '/faults', JSON.stringify(fault))).id;
  }

  async release(id: string): Promise<void> {
    await this.#ask('POST', `/faults/release?id=${id}`);
  }

  async clearFaults(): Promise<void> {
    await this.#ask('DELETE', '/faults');
  }

  /** What was called until now. */
  calls(query: CallQuery = {}): Promise<CallEntry[]> {
    return this.#ask('GET', `/calls?${parameters(query)}`);
  }

  /** Waits for a number of calls. @throws Error when they have not come in time. */
  async waitFor(query: CallQuery, atLeast = 1, timeoutMs = 60_000): Promise<CallEntry[]> {
    const found = await this.#ask<CallEntry[]>('GET', `/calls?${parameters({ ...query, atLeast, timeoutMs })}`);
    if (found.length >= atLeast) return found;
    throw new Error(`only ${found.length} of ${atLeast} calls came in ${timeoutMs} ms: ${JSON.stringify(query)}`);
  }

  objects(): Promise<{ bucket: string; key: string; sizeBytes: number; md5: string }[]> {
    return this.#ask('GET', '/objects');
  }

  /** All versions of all objects, and what says that one is deleted; of each object the newest first. */
  versions(): Promise<{ bucket: string; key: string; versionId: string; latest: boolean; deleted: boolean }[]> {
    return this.#ask('GET', '/versions');
  }

  /** As if somebody had written an object without being asked who they are. */
  putObject(bucket: string, key: string, body: Buffer): Promise<{ sizeBytes: number; md5: string }> {
    return this.#ask('PUT', `/objects?${parameters({ bucket, key })}`, body);
  }

  /** Puts a page on another web server. @param url `https://host/path`. */
  async putOrigin(url: string, body: Buffer, more: { location?: string; status?: number } = {}): Promise<void> {
    await this.#ask('PUT', `/origins?${parameters({ url, ...more })}`, body);
  }

  /** Faults, rates, origins and the log's memory: as after the start. Objects and the log's file stay. */
  async reset(): Promise<void> {
    await this.#ask('POST', '/reset');
  }

  async #ask<T>(method: string, path: string, body?: string | Buffer): Promise<T> {
    const sent = typeof body === 'object' ? new Uint8Array(body) : body;
    const response = await fetch(`${this.#url}${path}`, { method, ...(sent === undefined ? {} : { body: sent }) });
    const value = (await response.json()) as T & { error?: string };
    if (!response.ok) throw new Error(`the emulator refused ${method} ${path}: ${value.error}`);
    return value;
  }
}

function parameters(values: object): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)]))).toString();
}
