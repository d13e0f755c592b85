/** Tests the one spelling of a request's path, and the targets of redirects. */
import { describe, expect, it } from 'vitest';
import { canonicalTarget, localPath } from '../../../src/server/edge.ts';

describe('canonicalTarget', () => {
  it.each([
    ['/', '', '/'],
    ['/v/x?frame=1', '', '/v/x?frame=1'],
    ['/%64ashboard', '', '/dashboard'],
    ['/%64ashboar%44?x=%64', '', '/dashboarD?x=%64'],
    ['/%2564ashboard', '', '/%2564ashboard'],
    ['/a%2Fb', '', '/a%2Fb'],
    ['/%zz', '', '/%zz'],
    ['http://evil.example/dashboard', '', '/dashboard'],
    ['HTTPS://evil.example', '', '/'],
    ['http://evil.example?x', '', '/?x'],
    ['*', '', '*'],
    ['/faces/ops', '/faces/ops', '/'],
    ['/faces/ops/', '/faces/ops', '/'],
    ['/faces/ops?refresh=1', '/faces/ops', '/?refresh=1'],
    ['/faces/%6fps/login', '/faces/ops', '/login'],
    ['/faces/opsier', '/faces/ops', '/faces/opsier'],
    ['/login', '/faces/ops', '/login'],
  ])('%s under "%s" is %s', (target, base, expected) => expect(canonicalTarget(target, base)).toBe(expected));
});

describe('localPath', () => {
  it.each([
    [undefined, '/'],
    ['', '/'],
    ['/v/x?frame=1', '/v/x?frame=1'],
    ['/faces/ops/v/x', '/v/x'],
    ['v/x', '/'],
    ['https://evil.example', '/'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
    ['/\t/evil.example', '/'],
    ['/\n/evil.example', '/'],
    ['/.//evil.example', '/'],
    ['/faces/ops//evil.example', '/'],
    ['/faces/ops/\\evil.example', '/'],
    ['/x/..//evil.example', '/'],
    ['javascript:alert(1)', '/'],
  ])('%j leads to %s', (to, expected) => expect(localPath(to, '/faces/ops')).toBe(expected));
});
