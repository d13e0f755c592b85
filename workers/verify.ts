/** A verify worker process. Settings come from the environment (docs/settings.md); SIGTERM drains. */
import { openVerify } from '../src/compose.ts';
import { runUntilSignal } from '../src/process.ts';

process.exit(await runUntilSignal([openVerify], process.env));
