/** The exit codes of commands and workers. A file of its own, because every command needs it and few need the services. */
export const EXIT = { ok: 0, failed: 1, badInput: 2, notDrained: 3, wedged: 4 } as const;
