/** The sentences of `advice.ts`: what a state means for each reader, in English and Chinese. */
import type { Language, Retake } from '../errors/index.ts';
import type { NextStep } from './states.ts';

export interface Phrases {
  /** Separator between two sentences. */
  readonly space: string;
  /** For the operator, if a code is not in the error table. */
  readonly unknownCode: string;
  /** For the person, if the error table has no words for the code. */
  readonly recordAgain: string;
  readonly caller: {
    readonly wait: string;
    readonly waitForOperator: string;
    readonly held: string;
    readonly cancelled: string;
    readonly noAnswer: string;
    readonly tellOperator: string;
    /** Follows the advice on the fault that the caller must fix before enqueueing again. */
    readonly newKey: string;
    readonly startAgain: string;
    readonly newKeyLater: string;
    readonly sendAgain: string;
    /** If the frame is still being downloaded. */
    readonly frame: string;
    /** If the decision stands, but there is no frame. */
    readonly decided: string;
    readonly retake: Readonly<Record<Retake, string>>;
    /** What the caller should do if the person must be checked again by Tencent's SDK or page. */
    readonly newSession: string;
    /** What the caller should do after a decision. */
    readonly next: Readonly<Record<NextStep, string>>;
  };
  readonly operator: {
    readonly again: string;
    readonly persists: string;
    readonly thenContinues: string;
    readonly frame: string;
    readonly held: string;
    readonly failed: string;
    readonly cancelled: string;
    readonly decided: string;
    /** If the decision stands, but there is no second opinion. */
    readonly noOpinion: string;
    readonly refused: string;
  };
}

const LIVENESS = 'Take a new recording, and enqueue it under a new key.';
const LIVENESS_ZH = '请重新采集活体数据，并使用新的 key 提交。';

export const PHRASES: Readonly<Record<Language, Phrases>> = {
  en: {
    space: ' ',
    unknownCode: 'Keep the RequestId, and ask Tencent’s support what this code means.',
    recordAgain: 'Please record again.',
    caller: {
      wait: 'Wait with the same id: Bestframe tries again by itself, and nothing is lost.',
      waitForOperator:
        'Wait with the same id: the call cannot be made at the moment, and the verification continues by itself as soon as it can. If it lasts, tell the operator of Bestframe the code.',
      held: 'Nothing happens until an operator of Bestframe decides; `heldUntil` says when it fails without a decision. Ask the operator, or cancel it if you cannot wait.',
      cancelled: 'Nothing: it was cancelled. To check the person after all, enqueue again under a new key.',
      noAnswer: 'There is no answer, and nothing more is tried.',
      tellOperator: 'Tell the operator of Bestframe the code.',
      newKey: 'Then enqueue again under a new key.',
      startAgain: 'Enqueue again under a new key.',
      newKeyLater: 'Once the cause is mended, the operator can start it again, or you enqueue again under a new key.',
      sendAgain: 'Send the request again later, under the same key.',
      frame: 'The picture is still on its way.',
      decided: 'Continue without the picture.',
      retake: {
        none: LIVENESS,
        photo: 'Ask for another photo, and enqueue it with the same recording under a new key.',
        liveness: LIVENESS,
        both: 'Take a new recording and a new photo, and enqueue them under a new key.',
      },
      newSession: 'Start a new session under a new key.',
      next: {
        accept: 'Let the person in: the decision counts.',
        refuse: 'Refuse the person.',
        recapture: LIVENESS,
        wait: 'Wait with the same id.',
        investigate: 'Tell the operator of Bestframe the code.',
      },
    },
    operator: {
      again: 'Nothing to do: Bestframe tries again by itself.',
      persists: 'If it persists: ',
      thenContinues: 'The verification then continues by itself.',
      frame: 'Nothing to do: the decision counts, and Bestframe goes on fetching the frame.',
      held: 'Decide what becomes of it: `bestframe held --help` lists the choices.',
      failed:
        'It has ended without an answer, and nothing more is tried. While its sources are kept, `bestframe retry` starts it again.',
      cancelled: 'Nothing to do: its caller cancelled it.',
      decided: 'Nothing to do: it is decided.',
      noOpinion:
        'The second opinion was not given, and nothing more is tried. If it is still needed, the caller enqueues again under a new key.',
      refused: 'Send the request again later, under the same key.',
    },
  },
  zh: {
    space: '',
    unknownCode: '请保留 RequestId，并向腾讯云技术支持询问该代码的含义。',
    recordAgain: '请重新录制。',
    caller: {
      wait: '请使用同一个 id 等待：Bestframe 会自动重试，不会丢失任何内容。',
      waitForOperator:
        '请使用同一个 id 等待：目前无法调用，一旦可以调用，核验会自动继续。如果持续很久，请将该代码告知 Bestframe 运维人员。',
      held: '在 Bestframe 运维人员作出决定之前不会有任何进展；`heldUntil` 是无人决定时核验失败的时间。请联系运维人员；如果无法等待，可以取消。',
      cancelled: '无需操作：核验已取消。如果仍需核验，请使用新的 key 重新提交。',
      noAnswer: '没有结果，也不会再尝试。',
      tellOperator: '请将该代码告知 Bestframe 运维人员。',
      newKey: '然后使用新的 key 重新提交。',
      startAgain: '请使用新的 key 重新提交。',
      newKeyLater: '原因消除后，可由运维人员重新启动，或使用新的 key 重新提交。',
      sendAgain: '请稍后使用相同的 key 再次发送请求。',
      frame: '图片仍在下载。',
      decided: '请在没有图片的情况下继续。',
      retake: {
        none: LIVENESS_ZH,
        photo: '请要求更换照片，并将其与同一份活体数据一起使用新的 key 提交。',
        liveness: LIVENESS_ZH,
        both: '请重新采集活体数据和照片，并使用新的 key 提交。',
      },
      newSession: '请使用新的 key 开始新的会话。',
      next: {
        accept: '请放行该用户：结论有效。',
        refuse: '请拒绝该用户。',
        recapture: LIVENESS_ZH,
        wait: '请使用同一个 id 等待。',
        investigate: '请将该代码告知 Bestframe 运维人员。',
      },
    },
    operator: {
      again: '无需处理：Bestframe 会自动重试。',
      persists: '如果持续出现：',
      thenContinues: '处理后，核验会自动继续。',
      frame: '无需处理：结论有效，Bestframe 会继续下载图片。',
      held: '请决定如何处理：`bestframe held --help` 列出了可用的操作。',
      failed: '核验已结束且没有结果，不会再尝试。在来源保留期间，可用 `bestframe retry` 重新启动。',
      cancelled: '无需处理：调用方已取消该核验。',
      decided: '无需处理：已有结论。',
      noOpinion: '没有得到复核意见，也不会再尝试。如果仍然需要，由调用方使用新的 key 重新提交。',
      refused: '请稍后使用相同的 key 再次发送请求。',
    },
  },
};
