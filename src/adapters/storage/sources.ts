/** The three kinds of sources (file, https, COS) behind one port. */
import { tmpdir } from 'node:os';
import type { Bucket, SourceLimits, Sources } from '../../domain/ports.ts';
import { abortFailure } from '../http/abort-failure.ts';
import type { Transport } from '../http/transport.ts';
import { openCosSource } from './cos-source.ts';
import { openFileSource } from './file-source.ts';
import { openHttpsSource } from './https-source.ts';

export interface SourcesOptions {
  /** Folders that file sources must lie in. */
  readonly roots: readonly string[];
  readonly transport: Transport;
  /** The company's own buckets, by region. */
  readonly buckets: ReadonlyMap<string, Bucket>;
  /**
   * Folder that holds https sources while they are uploaded. The folder needs space for all concurrent uploads.
   * @default the system's temporary folder
   */
  readonly spoolDir?: string | undefined;
}

export function createSources(options: SourcesOptions): Sources {
  return {
    open: opener(options, null),
    limitedTo: (limits) => ({ open: opener(options, limits) }),
  };
}

function opener(options: SourcesOptions, limits: SourceLimits | null): Sources['open'] {
  const { roots, transport, buckets, spoolDir = tmpdir() } = options;
  return async (source, rule, field, signal) => {
    if (signal.aborted) throw abortFailure(signal, 'no');
    switch (source.from) {
      case 'file':
        return openFileSource(source, { roots, within: limits?.within, rule, field }, signal);
      case 'https':
        return openHttpsSource(source, { transport, spoolDir, rule, field, allowsUrl: limits?.allowsUrl }, signal);
      case 'cos':
        return openCosSource(source, { transport, buckets, rule, field }, signal);
    }
  };
}
