/**
 * The HTTP API as a process. Reads its settings from the environment (docs/settings.md). After SIGTERM it finishes the requests
 * in progress and exits.
 */
import { openApi } from '../src/app/api.ts';
import { runUntilSignal } from '../src/app/run-until-signal.ts';

process.exit(await runUntilSignal('api', [openApi], process.env));
