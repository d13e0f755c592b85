import { BestframeClient, type VerificationRequest, type VerificationView } from 'PACKAGE';
import { BestframeHttpClient, type VerificationAnswer } from 'PACKAGE/http';

async function main(): Promise<void> {
  const { REDIS = '', PREFIX = '', NAMESPACE = '', API = '', KEY = '', LIVE = '', PHOTO = '', RUN } = process.env;
  const redis = new BestframeClient({ redis: REDIS, prefix: PREFIX, namespace: NAMESPACE, mode: 'test' });
  const http = new BestframeHttpClient({ url: API, key: KEY });
  const request: Omit<VerificationRequest, 'key'> = {
    region: 'ap-singapore',
    upload: 'own-bucket',
    resources: { liveData: { from: 'file', path: LIVE }, image: { from: 'file', path: PHOTO } },
  };
  const view: VerificationView = await redis.verify({ ...request, key: `${RUN}-redis` });
  const answer: VerificationAnswer = await http.verify({ ...request, key: `${RUN}-http` });
  await redis.close();
  await http.close();
  console.log(view.next, answer.next);
}

void main();
