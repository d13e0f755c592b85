/** How a test removes its folder. What was aborted may still write a file for a moment, and a folder that is not empty is not removed. */
export const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 } as const;
