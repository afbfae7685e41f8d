// One upload measurement in a process of its own: sync-case VARIANT DATA ENDPOINT PREFIX; prints one JSON line.
// Credentials come from the environment, as everywhere.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { silentLogger } from '../src/core/logger.js';
import { systemClock } from '../src/host/system-clock.js';
import { openStore } from '../src/stores/open-store.js';
import { newIdentity, recipientOf, type Recipient } from '../src/encryption/wrapped-key.js';
import { soleSink } from '../src/sync/sync-sink.js';
import { SyncEngine } from '../src/sync/sync-engine.js';
import { resident } from './measure.js';

const [variant = '', data = '', endpoint = '', prefix = ''] = process.argv.slice(2);
const REGION = 'us-east-1';

async function holdfast(recipients: readonly Recipient[]): Promise<void> {
  const uri = `s3://bench/${prefix}?endpoint=${encodeURIComponent(endpoint)}&region=${REGION}&path_style=true`;
  await using store = await openStore(uri, {}, { fileSystem: fs, clock: systemClock, random: randomBytes });
  await using engine = await SyncEngine.open({
    dataFolder: data,
    store,
    fs,
    clock: systemClock,
    random: randomBytes,
    logger: silentLogger,
    version: 'bench',
    pid: process.pid,
    sink: { ...soleSink, recipients },
  });
  const { complete } = await engine.drain(new AbortController().signal);
  if (!complete) throw new Error('sync did not complete');
}

/** What a user would do with ready-made files: lib-storage's Upload, with the same parts in flight. */
async function libStorage(): Promise<void> {
  const client = new S3Client({ endpoint, region: REGION, forcePathStyle: true });
  const sealed = join(data, 'sealed');
  for (const name of (await fs.readdir(sealed)).filter((file) => file.endsWith('.mcap'))) {
    const Body = createReadStream(join(sealed, name), { highWaterMark: 1024 * 1024 });
    const params = { Bucket: 'bench', Key: `${prefix}/${name}`, Body };
    await new Upload({ client, params, partSize: 8 * 1024 * 1024, queueSize: 3 }).done();
  }
  client.destroy();
}

const start = performance.now();
const recipients = variant === 'encrypted' ? [recipientOf(newIdentity())] : [];
await (variant === 'lib-storage' ? libStorage() : holdfast(recipients));
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, residentMb: resident().peak / 1e6 }));
