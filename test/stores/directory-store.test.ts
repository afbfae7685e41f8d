import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { storeContract } from './store-contract.js';

const clock: Clock = {
  now: () => BigInt(Date.now()) * 1_000_000n,
  monotonic: () => process.hrtime.bigint(),
  sleep: () => Promise.resolve(),
};
const ports = { fileSystem: fs, clock, random: randomBytes };

storeContract('a folder', { partBytes: 4096, manyParts: 120, isFolder: true }, async () => {
  const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-store-'));
  const store = new DirectoryStore(root, ports);
  return {
    store,
    reopen: () => Promise.resolve(new DirectoryStore(root, ports)),
    corrupt: async (key) => {
      const path = join(root, key);
      const data = await fs.readFile(path);
      data[data.length >> 1] = (data[data.length >> 1] as number) ^ 4;
      await fs.writeFile(path, data);
    },
    close: async () => {
      await store.close();
      await fs.rm(root, { recursive: true, force: true });
    },
  };
});
