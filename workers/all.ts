/**
 * All workers in one process, for small deployments. Reads its settings from the environment (docs/settings.md) and drains on
 * SIGTERM.
 */
import { runUntilSignal } from '../src/app/run-until-signal.ts';
import { openErase, openNotify, openVerify } from '../src/app/workers.ts';

process.exit(await runUntilSignal('all', [openVerify, openErase, openNotify], process.env));
