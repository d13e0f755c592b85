/** A erase worker process. Settings come from the environment (docs/settings.md); SIGTERM drains. */
import { openErase } from '../src/compose.ts';
import { runUntilSignal } from '../src/process.ts';

process.exit(await runUntilSignal([openErase], process.env));
