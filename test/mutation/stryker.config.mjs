/**
 * What `npm run mutation` changes, and which tests must notice. docs/decisions/mutation.md has the results and the reasons.
 */
const KEPT = '.bestframe/mutation';

export default {
  mutate: [
    'src/domain/**/*.ts',
    'src/pipeline/stages/*.ts',
    'src/pipeline/payment.ts',
    'src/pipeline/gate.ts',
    // Tables of codes with their texts. test/unit/domain/errors.test.ts compares every row with docs/errors.md, or, for Chinese
    // words, checks that they are there; whether a text is good is for a reader to judge.
    '!src/domain/errors/{local,faceid,cos,tencent-cloud,zh}.ts',
    // The sentences of the advice. test/unit/domain/advice-samples.md shows them to a reviewer.
    '!src/domain/verification/advice-phrases.ts',
  ],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: true },
  coverageAnalysis: 'perTest',
  concurrency: 1,
  // Long: a machine under load must not turn a survivor into a timeout, which counts as killed.
  timeoutMS: 15_000,
  thresholds: { high: 95, low: 85, break: 85 },
  incremental: true,
  incrementalFile: `${KEPT}/results.json`,
  reporters: ['progress-append-only', 'clear-text', 'json', 'html'],
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false, skipFull: true },
  jsonReporter: { fileName: `${KEPT}/report.json` },
  htmlReporter: { fileName: `${KEPT}/report.html` },
  tempDirName: `${KEPT}/sandbox`,
  ignorePatterns: [
    '/.bestframe',
    '/dist',
    '/bench',
    '/deploy',
    '/docs/images',
    '/examples',
    '/test/e2e',
    '/test/integration',
  ],
  // Vitest strips the types. Stryker's own handling of TypeScript needs the old compiler's API, which TypeScript 7 does not have.
  disableTypeChecks: false,
  tsconfigFile: 'none.json',
};
