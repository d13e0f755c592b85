/** An HTTP API process. Settings come from the environment (docs/settings.md); SIGTERM answers what waits, and ends. */
import { openApi } from '../src/compose-api.ts';
import { runUntilSignal } from '../src/process.ts';

process.exit(await runUntilSignal([openApi], process.env));
