/** The folders and the Redis that a benchmark uses. */
export interface BenchEnvironment {
  /** The folder for everything that the benchmark writes. */
  readonly dir: string;
  readonly cacheDir: string;
  readonly redisUrl: string;
  /** The folder of the built worker entry points. */
  readonly workersDir: string;
}
