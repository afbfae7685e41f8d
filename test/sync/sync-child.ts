import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { silentLogger } from '../../src/core/logger.js';
import { openStore } from '../../src/stores/open-store.js';
import { parseRecipient } from '../../src/encryption/keyring.js';
import { soleSink } from '../../src/sync/sync-sink.js';
import { SyncEngine } from '../../src/sync/sync-engine.js';
import { storePorts } from '../support/store-ports.js';
import { quick, realClock } from './sync-world.js';

// A sync process of its own, to be killed: data folder, store URI and options come as arguments. Prints its
// summary as the last line. With a recipient as the fourth argument, it encrypts.
const [folder = '', uri = '', options = '{}', recipient] = process.argv.slice(2);
const recipients = recipient === undefined ? [] : [parseRecipient(recipient, 'argument')];
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
  sink: { ...soleSink, recipients },
  options: { ...quick, ...(JSON.parse(options) as object) },
});
const summary = await engine.drain(AbortSignal.timeout(60_000));
await engine.close();
await store[Symbol.asyncDispose]();
console.log(JSON.stringify(summary));
