/**
 * How a test removes its folder. An aborted worker may still write a file for a moment, and only an empty folder can be removed, so
 * the removal is repeated.
 */
export const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 } as const;
