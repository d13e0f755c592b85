/** Producers: they claim a verification and add its job, as `src/client/redis/enqueue.ts` does. */

import { Failure } from '../../../src/domain/errors/failure.ts';
import { faceIdDependency } from '../../../src/domain/operations/breakers.ts';
import { parseVerification } from '../../../src/domain/verification/request.ts';
import { isTerminal } from '../../../src/domain/verification/states.ts';
import { claimFields } from '../../../src/redis/record.ts';
import { type ClaimRequest, claimVerifications } from '../../../src/redis/scripts/claim-verification.ts';
import { Sealer } from '../../../src/redis/sealer.ts';
import { type Actor, overLossyConnection, type Sketch } from '../step.ts';
import { ACTION, LIFE_MS, type Local, REGION, START, WEBHOOK, type World } from '../world.ts';
import { once } from './outside.ts';

export interface ProducerOptions {
  readonly id?: string;
  /** The payload of the request; it determines the fingerprint. */
  readonly payload?: string;
  readonly webhook?: boolean;
  /** Whether the producer may be killed between the claim and the job. */
  readonly dies?: boolean;
  readonly lifeMs?: number;
  /** Whether the request asks for a second opinion. */
  readonly secondOpinion?: boolean;
}

export function producer(name: string, options: ProducerOptions = {}): Actor {
  const { id = 'a', dies = false } = options;
  return {
    name,
    start: { pc: 'claims' },
    steps: (world, local) => {
      const sketches = next(world, local, options, id);
      if (dies && local.pc === 'adds')
        sketches.push({ does: 'dies', act: ({ local }) => void Object.assign(local, { pc: 'dead' }) });
      const mayLose = (world.left.replies ?? 0) > 0 && local.pc === 'claims';
      return overLossyConnection(name, id, local, sketches, mayLose);
    },
  };
}

/** Writes a decision that accepts, as a worker leaves it that died right afterwards. It makes scenarios about what follows smaller. */
export function decider(id = 'a'): Actor {
  return once('decider', id, (world, { pc }) => {
    const act: Sketch<Local>['act'] = ({ world, local }) => {
      const fields = {
        ...{ 's:upload': '{}', 's:detect': JSON.stringify(DECIDED), state: 'active' },
        ...{ decision: 'match', similarity: '90', decidedAt: String(START), frame: 'none' },
      };
      for (const [field, value] of Object.entries(fields)) world.setField(world.names.journal(id), field, value);
      local.pc = 'done';
    };
    return pc === '0' ? [{ does: 'decides', touches: [world.names.journal(id)], act }] : [];
  });
}

const DECIDED = {
  decision: 'match',
  similarity: 90,
  billed: true,
  result: 'Success',
  requestId: null,
  bestFrame: null,
};

function next(world: World, { pc }: Local, options: ProducerOptions, id: string): Sketch<Local>[] {
  if (pc === 'claims') return [claims(id, options)];
  if (pc !== 'adds') return [];
  const act: Sketch<Local>['act'] = ({ facts, local }) => {
    if (facts.queue === 'none') facts.queue = 'waiting';
    facts.acknowledged = true;
    local.pc = 'done';
  };
  return [{ does: 'adds the job', touches: [`queue:${id}`, world.names.job(REGION, id).job], act }];
}

function claims(
  id: string,
  { payload = '1', webhook = false, lifeMs = LIFE_MS, secondOpinion = false }: ProducerOptions,
): Sketch<Local> {
  return {
    does: 'claims the key',
    act: async ({ world, local, facts, script }) => {
      const [answer] = await script((deployment) =>
        claimVerifications(deployment, [claim(id, { payload, webhook, lifeMs, secondOpinion })]),
      );
      if (answer === undefined || answer instanceof Failure || !('state' in answer))
        throw new Error('no answer to a claim');
      const { status, state, starts } = answer;
      if (status === 'same' && (starts > 0 || isTerminal(state))) facts.acknowledged = true;
      world.touch(`queue:${id}`);
      local.status = status;
      local.pc = status === 'new' || (status === 'same' && starts === 0 && !isTerminal(state)) ? 'adds' : 'done';
    },
  };
}

function claim(
  id: string,
  {
    payload,
    webhook,
    lifeMs,
    secondOpinion,
  }: Required<Pick<ProducerOptions, 'payload' | 'webhook' | 'lifeMs' | 'secondOpinion'>>,
): ClaimRequest {
  const resources = {
    liveData: { from: 'file', path: '/in/live.gz' },
    image: { from: 'file', path: '/in/photo.jpg' },
  } as const;
  const plain = { key: 'k', region: REGION, upload: 'own-bucket', lane: 'batch', resources, secondOpinion } as const;
  const request = parseVerification(webhook ? { ...plain, webhook: WEBHOOK } : plain);
  return {
    id,
    region: REGION,
    action: ACTION,
    lane: 'batch',
    fingerprint: `payload ${payload}`,
    deadline: null,
    lifeMs,
    expressHoldMs: 15_000,
    subject: null,
    subjectLifeMs: 0,
    tenant: null,
    weight: 1,
    quotas: null,
    needs: [faceIdDependency(ACTION)],
    fields: claimFields(
      id,
      { ...request, similarityThreshold: 70 },
      { mode: 'test', tenant: null, subject: null },
      new Sealer(),
    ),
  };
}
