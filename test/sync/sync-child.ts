import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { silentLogger } from '../../src/core/logger.js';
import { openStore } from '../../src/stores/open-store.js';
import { SyncEngine } from '../../src/sync/sync-engine.js';
import { storePorts } from '../support/store-ports.js';
import { quick, realClock } from './sync-world.js';

// A sync process of its own, to be killed: data folder, store URI and options come as arguments. Prints its
// summary as the last line.
const [folder = '', uri = '', options = '{}'] = process.argv.slice(2);
const store = await openStore(uri, {}, storePorts);
const engine = await SyncEngine.open({
  dataFolder: folder,
  store,
  fs,
  clock: realClock,
  random: randomBytes,
  logger: silentLogger,
  version: '0.0.0-test',
  pid: process.pid,
  options: { ...quick, ...(JSON.parse(options) as object) },
});
const summary = await engine.drain(AbortSignal.timeout(60_000));
await engine.close();
await store[Symbol.asyncDispose]();
console.log(JSON.stringify(summary));
