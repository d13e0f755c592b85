/** Bundles the clients as the packages have them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const FORMATS = ['esm', 'cjs'];
/** Without the API of OpenTelemetry, which is bundled: the whole package takes 2 MiB. All its copies in a process share one registry. */
export const CLIENT_PACKAGES = ['bullmq', 'ioredis', 'zod'];

/**
 * Bundles the entries as ES modules, and converts these files to CommonJS. The entries share a chunk, so that there is only one
 * Failure class.
 * @param entries path of the source of each entry, by name
 */
export async function bundleClient(folder, entries) {
  const { build: esbuild } = await import('esbuild');
  const common = {
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true, // names are kept, so that stack traces stay readable
    logLevel: 'warning',
  };
  const [esm, cjs] = FORMATS.map((format) => join(folder, format));
  await esbuild({
    ...common,
    entryPoints: entries,
    outdir: esm,
    bundle: true,
    format: 'esm',
    splitting: true,
    external: CLIENT_PACKAGES,
  });
  await esbuild({ ...common, entryPoints: [join(esm, '*.js')], outdir: cjs, format: 'cjs' });
  // Node reads the format of a file from the package.json next to it.
  writeFileSync(join(esm, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(cjs, 'package.json'), JSON.stringify({ type: 'commonjs' }));
}
