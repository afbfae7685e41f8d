import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { storedKeyName } from '../../src/encryption/stored-key.js';
import { recipientName, recipientOf } from '../../src/encryption/wrapped-key.js';
import { systemPorts } from '../../src/host/ports.js';
import { RecorderHost } from '../../src/recorder/recorder-host.js';
import type { RawFlags } from '../../src/settings/resolve.js';
import { eventually } from '../../src/testing/waiting.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';

describe('what the status of the recorder says about encryption', function () {
  this.timeout(30_000);
  const recipient = recipientName(recipientOf({ kind: 'x25519', secretKey: randomBytes(32) }));
  let place: RecorderPlace;
  let puppet: PuppetSource;
  let host: RecorderHost;

  beforeEach(async () => {
    place = await RecorderPlace.make();
    puppet = new PuppetSource();
  });
  afterEach(async () => {
    await host.close();
    await place[Symbol.asyncDispose]();
  });

  async function record(flags: RawFlags): Promise<void> {
    host = new RecorderHost({
      options: place.options(flags),
      ports: systemPorts(silentLogger),
      openInputs: () => [puppet.input()],
    });
    await host.configure();
    await host.activate();
    puppet.emit(testMessage(testChannel('/a'), 'one'));
    await eventually(() => host.status().totals.durable === 1, 'a durable message');
  }

  /** A key file with these keys, and the flags that name it. */
  async function withKeys(...keys: readonly Uint8Array[]): Promise<RawFlags> {
    const file = join(place.data, '..', 'wal.key');
    await fs.writeFile(file, keys.map((key) => `${encodeKey('symmetric', key)}\n`).join(''), { mode: 0o600 });
    return { 'encryption.recipients': [recipient], 'encryption.at_rest_key': file };
  }

  /** The key that encrypts the open segment, by the file that lies there. */
  async function keyOnDisk(): Promise<string> {
    const id = String(host.status().wal.openSegment);
    return storedKeyName(await fs.readFile(join(place.data, 'wal', id, 'key')), id);
  }

  it('is nothing without keys, and only the recipients without a key at rest', async () => {
    await record({});
    assert.deepEqual([host.status().encryptedFor, host.status().atRestKeyName], [undefined, undefined]);
    await host.close();
    await record({ 'encryption.recipients': [recipient] });
    assert.deepEqual([host.status().encryptedFor, host.status().atRestKeyName], [[recipient], undefined]);
  });

  it('is the name of the key that encrypts wal/: the first one of several, and the same after it has stopped', async () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)];
    await record(await withKeys(older));
    const before = host.status().atRestKeyName;
    assert.match(String(before), /^key:[0-9a-f]{16}$/);
    assert.equal(await keyOnDisk(), before);
    await host.close();
    await record(await withKeys(newer, older));
    const after = host.status().atRestKeyName;
    assert.notEqual(after, before);
    assert.equal(await keyOnDisk(), after);
    await host.close();
    assert.equal(host.status().atRestKeyName, after);
  });
});
