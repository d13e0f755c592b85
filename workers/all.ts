/** Every worker in one process, for small deployments. Settings come from the environment (docs/settings.md); SIGTERM drains. */
import { openErase, openNotify, openVerify } from '../src/compose.ts';
import { runUntilSignal } from '../src/process.ts';

process.exit(await runUntilSignal([openVerify, openErase, openNotify], process.env));
