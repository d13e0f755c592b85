/** A verify worker process. Reads its settings from the environment (docs/settings.md) and drains on SIGTERM. */
import { runUntilSignal } from '../src/app/run-until-signal.ts';
import { openVerify } from '../src/app/workers.ts';

process.exit(await runUntilSignal('verify', [openVerify], process.env));
