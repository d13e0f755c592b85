import { describe, expect, it } from 'vitest';
import { FLOW_NAMES, FLOWS } from '../../../src/domain/verification/flows.ts';
import { REGIONS } from '../../../src/domain/verification/regions.ts';
import { parseSession } from '../../../src/domain/verification/session-request.ts';
import { factsOf } from '../../support/vendor-facts.ts';

const LIVENESS = { key: 'k', action: 'ApplyLivenessToken' };

describe('the region of a session', () => {
  it.each(FLOW_NAMES)('may be any that Tencent documents for %s and its result call', (flow) => {
    const { regions, resultCall, qps } = FLOWS[flow];
    for (const call of [flow, resultCall]) {
      expect([...regions].sort()).toEqual(factsOf(call).regions);
      expect(qps).toBe(factsOf(call).callsPerSecond);
    }
  });

  it('may be any that serves the flow', () => {
    const web = {
      key: 'k',
      action: 'ApplyWebVerificationBizTokenIntl',
      parameters: { RedirectURL: 'https://a.example' },
    };
    const photo = { resources: { image: { from: 'file', path: '/a.jpg' } } };
    for (const region of REGIONS) expect(parseSession({ ...web, ...photo, region })).toMatchObject({ region });
    expect(parseSession({ ...LIVENESS, region: 'ap-jakarta' })).toMatchObject({ region: 'ap-jakarta' });
  });

  it.each(['ap-bangkok', 'sa-saopaulo'])('is refused with the regions that serve the flow: %s', (region) => {
    expect(() => parseSession({ ...LIVENESS, region })).toThrow(
      expect.objectContaining({
        code: 'INVALID_VERIFICATION',
        field: 'region',
        message: 'region does not serve ApplyLivenessToken: use one of ap-singapore, ap-hongkong, ap-jakarta',
      }),
    );
  });
});
