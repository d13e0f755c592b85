/**
 * The results of token flows. Tencent numbers them, and the numbers mean the same in every flow. Bestframe writes the result 1002 as
 * `Result.1002`. Which of them are billed depends on the product: see `billing.ts`.
 */
import type { RejectedDecision } from './entry.ts';

export type ResultHint =
  | ('light' | 'position' | 'cover' | 'alone' | 'sharp' | 'photo' | 'again' | 'unclear' | 'voice' | 'video')
  | 'spoof'
  | 'different'
  | 'session';

/** English and Chinese title. */
type Titles = readonly [en: string, zh: string];

export const RESULTS: readonly (readonly [code: string, decision: RejectedDecision, hint: ResultHint, ...Titles])[] = [
  ['Result.1001', 'recapture', 'unclear', 'The liveness engine could not be called', '活体检测引擎调用失败'],
  ['Result.1002', 'not_live', 'spoof', 'The recording is suspected to be spoofed', '录制内容疑似伪造'],
  ['Result.1003', 'not_live', 'spoof', 'No real person was detected', '未检测到真人'],
  ['Result.1004', 'recapture', 'position', 'The face detection failed', '人脸检测失败'],
  ['Result.1005', 'not_live', 'spoof', 'The liveness detection failed', '活体检测未通过'],
  ['Result.1101', 'recapture', 'voice', 'No sound was detected', '未检测到声音'],
  ['Result.1102', 'recapture', 'cover', 'The face is not fully exposed', '人脸未完全露出'],
  ['Result.1103', 'recapture', 'voice', 'Speech recognition failed', '语音识别失败'],
  ['Result.1104', 'recapture', 'video', 'The video has the wrong format', '视频格式不正确'],
  ['Result.1105', 'recapture', 'video', 'Tencent could not read the video', '腾讯云无法读取视频'],
  ['Result.1106', 'recapture', 'voice', 'The voice in the video is too quiet', '视频音量过低'],
  ['Result.1107', 'recapture', 'video', 'The video is empty, or its size is not allowed', '视频为空，或大小不符合要求'],
  ['Result.1108', 'recapture', 'video', 'The video is not sharp enough', '视频清晰度过低'],
  ['Result.1109', 'recapture', 'video', 'The lips moved too little', '嘴唇动作幅度过小'],
  ['Result.1201', 'recapture', 'light', 'The light is too dark, or too strong', '光线太暗或过曝'],
  ['Result.1202', 'recapture', 'light', 'The light is too strong', '光线太强'],
  ['Result.2004', 'recapture', 'photo', 'The image is too large or too small', '图片过大或过小'],
  ['Result.2012', 'recapture', 'alone', 'More than one face was detected', '检测到多张人脸'],
  ['Result.2013', 'recapture', 'position', 'No complete face was detected', '未检测到完整人脸'],
  ['Result.2014', 'recapture', 'sharp', 'The image is too small or too poor', '图片分辨率过低或质量不符合要求'],
  ['Result.2015', 'recapture', 'again', 'The comparison failed', '人脸比对失败'],
  [
    'Result.2016',
    'no_match',
    'different',
    'The similarity is below the passing threshold',
    '人脸比对相似度未达到通过标准',
  ],
  ['Result.2017', 'recapture', 'cover', 'The face is partly covered', '人脸有遮挡'],
  ['Result.1', 'recapture', 'unclear', 'The page sent an invalid parameter', '页面参数无效'],
  ['Result.2', 'recapture', 'unclear', 'The page sent an incorrect value', '页面参数取值错误'],
  ['Result.3', 'recapture', 'unclear', 'The page sent a bad request', '页面请求错误'],
  ['Result.4', 'recapture', 'unclear', 'The page met an internal error of Tencent', '腾讯云页面内部错误'],
  ['Result.8', 'recapture', 'unclear', 'The page met an internal error of Tencent', '腾讯云页面内部错误'],
  ['Result.9', 'recapture', 'unclear', 'The page met an internal error of Tencent', '腾讯云页面内部错误'],
  ['Result.10', 'recapture', 'unclear', 'The page met an internal error of Tencent', '腾讯云页面内部错误'],
  ['Result.11', 'recapture', 'unclear', 'The page met an internal error of Tencent', '腾讯云页面内部错误'],
  ['Result.14', 'recapture', 'unclear', 'The token was used before', '该 Token 已完成核验'],
  ['Result.15', 'expired', 'session', 'The token had expired when the person began', '用户开始时 Token 已过期'],
  ['Result.16', 'retry_limit', 'session', 'The person used up all tries', '用户已用完全部尝试次数'],
  ['Result.202', 'recapture', 'video', 'The page got no video', '未获取到视频'],
  ['Result.1409', 'abandoned', 'session', 'The person took too long', '用户操作超时'],
  ['Result.1410', 'abandoned', 'session', 'The person left the page', '用户主动退出'],
];
