/** Runs the cases of the demo: sends verifications and starts sessions, plays the phones of the sessions, and checks the results. */
import { openClient } from '../../app/client.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import { EmulatorControl } from '../../emulator/control.ts';
import type { LocalWorld } from '../local-world.ts';
import type { Progress } from './progress.ts';
import { checkResult, type DemoResult } from './report.ts';
import { type DemoCase, isSessionCase, type SessionCase, type VerificationCase } from './scenarios.ts';

const WAIT_MS = 5 * 60_000;

/** @returns the verifications first, and then the sessions. */
export async function runCases(
  cases: readonly DemoCase[],
  { config, emulator }: LocalWorld,
  progress: Progress,
): Promise<DemoResult[]> {
  const client = openClient(config);
  const control = new EmulatorControl(emulator.controlUrl);
  const finish = async (demoCase: DemoCase, id: string) => {
    const view = await client.wait(id, { until: 'ended', timeoutMs: WAIT_MS });
    if (view !== null && isTerminal(view.state)) progress.recordEnd(view);
    return checkResult(demoCase, id, view);
  };
  try {
    const sessions = cases.filter(isSessionCase);
    const verifications = cases.filter((each): each is VerificationCase => !isSessionCase(each));
    const results = await Promise.all([
      runVerifications(verifications, client, finish),
      Promise.all(sessions.map((each) => runSession(each, client, control, finish))),
    ]);
    return results.flat();
  } finally {
    await client.close();
  }
}

type Client = ReturnType<typeof openClient>;
/** Waits for the end of a case, and checks its result. */
type Finish = (demoCase: DemoCase, id: string) => Promise<DemoResult>;

async function runVerifications(
  cases: readonly VerificationCase[],
  client: Client,
  finish: Finish,
): Promise<DemoResult[]> {
  const enqueued = await client.enqueueMany(cases.map(({ request }) => request));
  return Promise.all(
    cases.map((demoCase, index) => {
      const accepted = enqueued[index];
      if (accepted !== undefined && accepted.status !== 'refused') return finish(demoCase, accepted.id);
      const { code = 'no result', message = '' } = accepted?.error ?? {};
      return { case: demoCase, id: '', view: null, problems: [`refused: ${code} ${message}`] };
    }),
  );
}

async function runSession(
  demoCase: SessionCase,
  client: Client,
  control: EmulatorControl,
  finish: Finish,
): Promise<DemoResult> {
  const { id, token } = await client.startSession(demoCase.session, { timeoutMs: WAIT_MS });
  if (token === null) return finish(demoCase, id);
  for (const step of demoCase.phone) await control.play({ token, ...step });
  await client.finishSession(id);
  return finish(demoCase, id);
}
