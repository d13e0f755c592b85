import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { send } from '../../../src/emulator/exchange.ts';

it('closes the body of an answer whose client has gone', async () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.destroy();
  const body = Readable.from(['bytes']);
  await send({ status: 200, headers: {}, body, facts: { code: 'OK' } }, response);
  expect(body.destroyed).toBe(true);
});
