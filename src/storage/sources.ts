/** The three kinds of sources behind one port. */
import { tmpdir } from 'node:os';
import type { Bucket, Sources } from '../domain/ports.ts';
import { abortFailure } from '../transport/abort.ts';
import type { Transport } from '../transport/transport.ts';
import { openCosSource } from './cos-source.ts';
import { openFileSource } from './file-source.ts';
import { openHttpsSource } from './https-source.ts';

export interface SourcesOptions {
  /** Folders inside which file sources may lie. */
  readonly roots: readonly string[];
  readonly transport: Transport;
  /** By region. */
  readonly buckets: ReadonlyMap<string, Bucket>;
  /** Where https sources are kept while they are uploaded; needs room for what is on its way at once. */
  readonly spoolDir?: string | undefined;
}

export function createSources(options: SourcesOptions): Sources {
  const { roots, transport, buckets, spoolDir = tmpdir() } = options;
  return {
    async open(source, rule, field, signal) {
      if (signal.aborted) throw abortFailure(signal, 'no');
      switch (source.from) {
        case 'file':
          return openFileSource(source, roots, rule, field, signal);
        case 'https':
          return openHttpsSource(source, { transport, spoolDir }, rule, field, signal);
        case 'cos':
          return openCosSource(source, { transport, buckets }, rule, field, signal);
      }
    },
  };
}
