/** The claim and the job of a verification without anything around them: no validation, no hashes, no checks of sources. */
import { randomBytes } from 'node:crypto';
import type { Queue } from 'bullmq';
import { Failure } from '../src/domain/errors/failure.ts';
import type { VerificationRequest } from '../src/domain/verification/request.ts';
import type { Deployment } from '../src/redis/deployment.ts';
import type { VerifyJob } from '../src/redis/job-options.ts';
import { claimVerifications } from '../src/redis/scripts/claim-verification.ts';
import { verifyJob } from '../src/redis/verify-queue.ts';

const ACTION = 'DetectReflectLivenessAndCompare';
const REGION = 'ap-singapore';
const CLAIM = {
  region: REGION,
  action: ACTION,
  lane: 'interactive',
  fingerprint: 'a'.repeat(22),
  deadline: null,
  lifeMs: 60_000,
  expressHoldMs: 15_000,
  subject: null,
  subjectLifeMs: 60_000,
  tenant: 'default',
  weight: 1,
  quotas: null,
  needs: ['source:faces-1250000000.cos.ap-singapore.myqcloud.com', 'cos:get', `faceid:${ACTION}`],
  mostAhead: 10_000_000,
} as const;
const PACKED = `2|test|${ACTION}|${REGION}|own-bucket|interactive|70`;

const mark = randomBytes(6).toString('hex');
let count = 0;

export interface Claimed {
  readonly id: string;
  readonly turn: number;
}

/** Claims new ids in one round trip. @throws Error if Redis did not accept all */
export async function claimBare(deployment: Deployment, requests: readonly VerificationRequest[]): Promise<Claimed[]> {
  const claims = requests.map(({ key, resources }) => {
    count += 1;
    const id = `v${mark}${String(count).padStart(13, '0')}`;
    const fields = ['rq', PACKED, 'tn', 'default', 'key', key, 'src', JSON.stringify({ resources })];
    return { ...CLAIM, id, fields };
  });
  const answers = await claimVerifications(deployment, claims);
  return answers.map((answer, index) => {
    const id = claims[index]?.id ?? '';
    if (answer instanceof Failure || answer.status !== 'new') throw new Error(`${id} was not claimed`);
    return { id, turn: answer.turn };
  });
}

/** Adds the jobs of claimed ids in one round trip. */
export async function addClaimed(queue: Queue<VerifyJob>, claimed: readonly Claimed[]): Promise<void> {
  const jobs = claimed.map(({ id, turn }) =>
    verifyJob({ id, turn, action: ACTION, upload: 'own-bucket', lane: 'interactive', mode: 'test' }),
  );
  const [first] = jobs;
  if (first !== undefined && jobs.length === 1) await queue.add(first.name, first.data, first.opts);
  else await queue.addBulk(jobs);
}
