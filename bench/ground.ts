/** Where a benchmark runs. */
export interface Ground {
  /** Everything that it writes lies in here. */
  readonly dir: string;
  readonly cacheDir: string;
  readonly redisUrl: string;
  /** Of the built worker entry points. */
  readonly workersDir: string;
}
