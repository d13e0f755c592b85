/** An erase worker process. Reads its settings from the environment (docs/settings.md) and drains on SIGTERM. */
import { runUntilSignal } from '../src/app/run-until-signal.ts';
import { openErase } from '../src/app/workers.ts';

process.exit(await runUntilSignal('erase', [openErase], process.env));
