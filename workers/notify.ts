/** A notify worker process. Settings come from the environment (docs/settings.md); SIGTERM drains. */
import { openNotify } from '../src/compose.ts';
import { runUntilSignal } from '../src/process.ts';

process.exit(await runUntilSignal([openNotify], process.env));
