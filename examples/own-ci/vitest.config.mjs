import { defineConfig } from 'vitest/config';

export default defineConfig({
  // `startWorld` takes some seconds; the first start may also have to download Redis.
  test: { hookTimeout: 3 * 60_000, testTimeout: 60_000 },
});
