/**
 * Runs the tests of all mutants in one thread, one mutant after another. Vitest would start a thread for each mutant, and load
 * Vitest, zod and the product into it: this takes many times longer than the tests.
 *
 * What must hold:
 * 1. A mutant that is active while modules load stays in what they compute. So before and after its run, every module of the
 *    product is loaded again.
 * 2. Each run has the context and the test filter of its own mutant. Vitest sends the filter only to a new thread.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { PoolOptions, PoolWorker, WorkerRequest } from 'vitest/node';

const EVERY_TEST = /(?:)/;

type Listener = (message: unknown) => void;

let thread: Worker | null = null;
/** Whether the thread's modules may hold what a mutant computed, or may have been loaded without counting what runs then. */
let isTainted = false;

/** What Vitest takes for a thread of one run: it hands the run to the kept thread, and does not stop that thread. */
export class KeptThread implements PoolWorker {
  readonly name = 'kept-thread';
  readonly #options: PoolOptions;
  readonly #modules: readonly string[];
  readonly #listeners: { readonly event: string; readonly listener: Listener }[] = [];
  #isNew = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    const root = options.project.config.root;
    this.#modules = ['src', 'test'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(root, folder, name)),
    );
  }

  async start(): Promise<void> {
    this.#isNew = thread === null;
    const { distPath, env, execArgv } = this.#options;
    thread ??= new Worker(join(distPath, 'workers', 'threads.js'), { env: env as NodeJS.Dict<string>, execArgv });
    thread.setMaxListeners(0);
  }

  async stop(): Promise<void> {
    for (const { event, listener } of this.#listeners) thread?.off(event, listener);
  }

  send(message: WorkerRequest): void {
    if (message.type === 'stop') this.#answer('stopped');
    else if (message.type === 'start' && !this.#isNew) this.#answer('started');
    else
      thread?.postMessage(message.type === 'run' ? { ...message, context: this.#contextOf(message.context) } : message);
  }

  on(event: string, listener: Listener): void {
    this.#listeners.push({ event, listener });
    thread?.on(event, listener);
  }

  off(event: string, listener: Listener): void {
    thread?.off(event, listener);
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  #contextOf<C extends Extract<WorkerRequest, { type: 'run' }>['context']>(context: C): C {
    const { mode, mutantActivation } = context.providedContext as { mode?: string; mutantActivation?: string };
    const { testNamePattern = EVERY_TEST } = this.#options.project.config;
    const taints = mode !== 'mutant' || mutantActivation === 'static';
    const invalidates = isTainted || taints ? this.#modules : [];
    isTainted = taints;
    const files = this.#likelyKillersFirst(context.files).map((file) => ({ ...file, testNamePattern }));
    return { ...context, invalidates, files };
  }

  /** The run ends with the first failed test: so first the files that failed for the last mutant, then the quick ones. */
  #likelyKillersFirst<F extends { readonly filepath: string }>(files: readonly F[]): F[] {
    const { project } = this.#options;
    const cost = ({ filepath }: F) => {
      const key = `${project.name}:${relative(project.config.root, filepath)}`;
      const last = project.vitest.cache.getFileTestResults(key);
      return last === undefined || last.failed ? 0 : last.duration;
    };
    return [...files].sort((a, b) => cost(a) - cost(b));
  }

  #answer(type: 'started' | 'stopped'): void {
    const answer = { __vitest_worker_response__: true, type };
    for (const { event, listener } of this.#listeners) if (event === 'message') listener(answer);
  }
}
