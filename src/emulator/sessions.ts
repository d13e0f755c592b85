/**
 * The sessions behind FaceID's tokens, from the token's birth until its result can no longer be asked for.
 *
 * What must hold:
 * - An attempt is in the log, with its bill, before anybody can see its result.
 * - A session that is over stays as it is.
 */
import { randomUUID } from 'node:crypto';
import { isAttemptBilled } from './billing.ts';
import type { CallLog } from './call-log.ts';
import { specimenOf } from './identity-documents.ts';
import type { Output, OutputStore } from './output-store.ts';
import type { PlayStep } from './play-step.ts';
import { sampleImage, sampleLiveData, sampleVideo } from './samples.ts';
import { type AttemptOutcome, CARD_TAGS, outcomeOf } from './session-codes.ts';
import type { Settings } from './settings.ts';

/** The actions that issue a token, with the actions that answer its result. */
export const FLOWS = {
  ApplySdkVerificationToken: 'GetSdkVerificationResult',
  GetFaceIdTokenIntl: 'GetFaceIdResultIntl',
  ApplyLivenessToken: 'GetLivenessResult',
  ApplyWebVerificationBizTokenIntl: 'GetWebVerificationResultIntl',
} as const;
export type Flow = keyof typeof FLOWS;

/** What the caller asked for. */
export interface SessionPlan {
  readonly flow: Flow;
  readonly region: string;
  /** The type of the document that is read before the face is checked. Null: none. */
  readonly cardType: string | null;
  /** False if the session only reads a document. */
  readonly checksFace: boolean;
  readonly compares: boolean;
  readonly hasActions: boolean;
  readonly retryLimit: number;
  readonly edition: 'BASIC' | 'ENHANCED' | 'PRO' | 'PLUS';
  readonly extra: string | null;
  readonly redirectUrl: string | null;
  /** The code with which every comparison fails because the caller's photo cannot be used. */
  readonly photoFault: string | null;
}

export interface Attempt extends AttemptOutcome {
  readonly requestId: string;
  /** When it ended, ms since 1970, by the vendor's clock. */
  readonly at: number;
  readonly billed: boolean;
  readonly tags: readonly string[];
  readonly media: AttemptMedia;
}

export interface AttemptMedia {
  readonly liveData: Output;
  readonly video: Output;
  readonly actionVideo: Output | null;
  /** Null if liveness failed: no frame was chosen. */
  readonly bestFrame: Output | null;
  /** The photo in the document. Null: no document was read. */
  readonly profile: Output | null;
}

/** What remains of a document that was read. */
export interface DocumentMedia {
  readonly requestId: string;
  readonly video: Output;
  readonly image: Output;
  /** The fields that were read, as JSON. */
  readonly json: Output;
}

/** How a session ended: by an attempt that is final, because nobody continued, or because no attempt was left. */
export type SessionEnd = 'attempt' | 'left' | 'timedOut' | 'retryLimit';
export type SessionState = 'waiting' | 'expired' | 'started' | 'over' | 'forgotten';

export interface Session extends SessionPlan {
  /** Stands for the token in the log, which holds no secrets. */
  readonly id: string;
  readonly token: string;
  /** Ms since 1970, by the vendor's clock. */
  readonly createdAt: number;
  readonly attempts: readonly Attempt[];
  readonly end: SessionEnd | null;
  readonly deviceLevel: string;
  /** Null: no document was read, or not yet. */
  readonly document: DocumentMedia | null;
}

interface LiveSession extends Session {
  startedAt: number | null;
  attempts: Attempt[];
  end: SessionEnd | null;
  deviceLevel: string;
  document: DocumentMedia | null;
  /** Whether a step is under way. */
  busy: boolean;
}

export interface SessionsOptions {
  readonly outputs: OutputStore;
  readonly settings: Settings;
  readonly log: CallLog;
  /** The vendor's clock. */
  now(): number;
}

type Step = DistributiveOmit<PlayStep, 'token'>;
type DistributiveOmit<T, Key extends keyof T> = T extends unknown ? Omit<T, Key> : never;
type AttemptInput =
  Extract<Step, { step: 'try' }> extends infer Input ? Omit<Input, 'card' | 'step'> & { readonly card: string } : never;

/** Why the phone cannot take a step. */
export class PlayRefused extends Error {}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, LiveSession>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  create(plan: SessionPlan): Session {
    const session: LiveSession = {
      ...plan,
      id: randomUUID(),
      token: randomUUID().toUpperCase(),
      createdAt: this.#options.now(),
      startedAt: null,
      attempts: [],
      end: null,
      deviceLevel: '1',
      document: null,
      busy: false,
    };
    this.#sessions.set(session.token, session);
    return session;
  }

  find(token: string): Session | undefined {
    return this.#sessions.get(token);
  }

  list(): Session[] {
    return [...this.#sessions.values()];
  }

  clear(): void {
    this.#sessions.clear();
  }

  stateOf(session: Session): SessionState {
    const { settings, now } = this.#options;
    const ageMs = now() - session.createdAt;
    if (ageMs >= (settings.resultTtlMs[session.flow] ?? 0)) return 'forgotten';
    if (session.end !== null) return 'over';
    if ((session as LiveSession).startedAt !== null) return 'started';
    return ageMs >= settings.tokenTtlMs ? 'expired' : 'waiting';
  }

  /** Takes a step in place of the phone or the page. @throws PlayRefused if the phone could not take it. */
  async play({ token, ...play }: PlayStep): Promise<Session> {
    const session = this.#sessions.get(token);
    if (session === undefined) throw new PlayRefused('there is no session with this token: GET /sessions lists them');
    const state = this.stateOf(session);
    if (state === 'expired') throw new PlayRefused('the token has expired: the phone can no longer start');
    if (state === 'over' || state === 'forgotten') throw new PlayRefused('the session is over');
    if (session.busy) throw new PlayRefused('another step of this session is under way');
    session.busy = true;
    try {
      await this.#take(session, play);
    } finally {
      session.busy = false;
    }
    return session;
  }

  async #take(session: LiveSession, play: Step): Promise<void> {
    session.startedAt ??= this.#options.now();
    if (play.step === 'start') return;
    if (play.step === 'leave' || play.step === 'timeout') {
      session.end = this.#endWithoutAttempt(session, play.step === 'leave' ? 'left' : 'timedOut');
      return;
    }
    session.deviceLevel = play.deviceLevel ?? session.deviceLevel;
    session.document ??= session.cardType === null ? null : await this.#readDocument(session, session.cardType);
    if (!session.checksFace) {
      session.end = 'attempt';
      return;
    }
    const { step, card = step === 'exhaust' ? 'notLive' : 'match' } = play;
    do {
      const attempt = await this.#attempt(session, { ...play, card });
      session.attempts.push(attempt);
      if (attempt.code === '0' || step === 'finish') session.end = 'attempt';
      else if (session.attempts.length >= session.retryLimit) session.end = 'retryLimit';
    } while (step === 'exhaust' && session.end === null);
  }

  /** A page tells FaceID that the person left. An app does not, so its session stays open unless an attempt was made. */
  #endWithoutAttempt(session: Session, end: SessionEnd): SessionEnd | null {
    if (session.flow === 'ApplyWebVerificationBizTokenIntl') return end;
    return session.attempts.length > 0 ? 'attempt' : null;
  }

  async #attempt(session: Session, { card, similarity, tags, videoBytes }: AttemptInput): Promise<Attempt> {
    const { settings, log, now } = this.#options;
    const { flow, region, id, compares, photoFault } = session;
    const outcome = outcomeOf(card, { compares, photoFault, similarity });
    const media = await this.#storeMedia(session, outcome, videoBytes);
    const requestId = randomUUID();
    const billed = isAttemptBilled(flow, outcome.code, settings.billUndocumented);
    const facts = { service: 'faceid', action: flow, region, session: id, code: outcome.code, billed } as const;
    await log.add({ at: Date.now(), event: 'attempt', ...facts });
    const givenTags = outcome.liveness === '0' ? [] : (tags ?? CARD_TAGS[card] ?? []);
    return { ...outcome, requestId, at: now(), billed, tags: givenTags, media };
  }

  async #storeMedia(session: Session, { liveness }: AttemptOutcome, videoBytes = 20_000): Promise<AttemptMedia> {
    const put = this.#storeIn(session, String(session.attempts.length + 1));
    const video = () => sampleVideo({ card: 'match', padBytes: videoBytes });
    return {
      liveData: await put('live-data.gz', sampleLiveData({ card: 'match' }), 'application/gzip'),
      video: await put('video.mp4', video(), 'video/mp4'),
      actionVideo: session.hasActions ? await put('action.mp4', video(), 'video/mp4') : null,
      bestFrame: liveness === '0' ? await put('best-frame.jpg', sampleImage(), 'image/jpeg') : null,
      profile: session.cardType === null ? null : await put('profile.jpg', sampleImage(), 'image/jpeg'),
    };
  }

  async #readDocument(session: Session, type: string): Promise<DocumentMedia> {
    const put = this.#storeIn(session, 'document');
    const json = Buffer.from(JSON.stringify(specimenOf(type).fields));
    return {
      requestId: randomUUID(),
      video: await put('video.mp4', sampleVideo({ card: 'match' }), 'video/mp4'),
      image: await put('image.jpg', sampleImage(), 'image/jpeg'),
      json: await put('fields.json', json, 'application/json'),
    };
  }

  #storeIn({ id, region }: Session, folder: string) {
    return (name: string, content: Buffer, contentType: string): Promise<Output> =>
      this.#options.outputs.put(region, { key: `session/${id}/${folder}/${name}`, content, contentType });
  }
}
