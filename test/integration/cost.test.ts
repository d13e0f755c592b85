/** What a verification costs Redis: scripts on the happy path, and bytes that stay. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type Rig } from '../support/rig.ts';
import { startPrivateRedis } from '../../src/world/redis.ts';
