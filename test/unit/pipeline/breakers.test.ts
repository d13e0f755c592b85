/** Tests whether trouble with a dependency counts as a failed attempt, with stubbed answers of the scripts. */
import { expect, it } from 'vitest';
import { Failure, type FailureFacts } from '../../../src/domain/errors/failure.ts';
import { DEFAULT_BREAKERS } from '../../../src/domain/operations/breakers.ts';
import { Breakers } from '../../../src/pipeline/breakers.ts';
import type { RunLog } from '../../../src/pipeline/run-log.ts';
import { scriptedDeployment } from '../../support/scripted-redis.ts';

const FACEID = 'faceid:DetectReflectLivenessAndCompare';

async function verdictOf(answered: string, facts: Partial<FailureFacts>): Promise<string> {
  const { deployment } = scriptedDeployment({ 'report-trouble': () => [answered, 0] });
  const breakers = new Breakers({
    ...{ deployment, id: 'v1', region: 'ap-singapore', tuning: DEFAULT_BREAKERS },
    seen: { epoch: '0', open: [] },
    log: { breaker: () => undefined } as unknown as RunLog,
  });
  const failure = { service: 'faceid', channel: 'transport', code: 'X', sent: 'no', dependency: FACEID, ...facts };
  return (await breakers.report(new Failure(failure as FailureFacts, 'x'))).verdict;
}

it.each([
  ['CONNECT_REFUSED', FACEID],
  ['DNS_FAILED', 'cos:put'],
  ['KEYS_UNAVAILABLE', 'CreateUploadUrl'],
])('%s of %s counts for no verification, because none can cause it', async (code, dependency) => {
  expect(await verdictOf('counts', { code, dependency })).toBe('shared');
});

it('what the vendor got, and a host that a caller names, may be the verification’s own trouble', async () => {
  expect(await verdictOf('counts', { code: 'RESET', sent: 'maybe' })).toBe('counts');
  expect(await verdictOf('counts', { code: 'InternalError', sent: 'answered' })).toBe('counts');
  expect(await verdictOf('counts', { code: 'DNS_FAILED', dependency: 'source:photos.example.com' })).toBe('counts');
  expect(await verdictOf('opened', { code: 'CONNECT_REFUSED' })).toBe('opened');
});
