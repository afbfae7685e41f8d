import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import { randomHex, type Identity, type RandomBytes } from '../core/identity.js';

const FOLDER_ID_FILE = 'id';

export interface HostIdentityPorts {
  readonly fs: FileSystem;
  readonly random: RandomBytes;
  readonly hostname: string;
}

/**
 * The identity of the recorder. The machine id is hashed with the product's name, as machine-id(5) requires:
 * the raw value stays on the machine. `dataRoot` must exist; its id is created durably at the first start.
 */
export async function readIdentity(dataRoot: string, ports: HostIdentityPorts): Promise<Identity> {
  const machine = await firstLine(ports.fs, '/etc/machine-id');
  return {
    dataFolderId: await dataFolderId(dataRoot, ports),
    machineId:
      machine === '' ? '' : createHash('sha256').update(`holdfast:${machine}`).digest('hex').slice(0, 32),
    bootId: await firstLine(ports.fs, '/proc/sys/kernel/random/boot_id'),
    sessionId: randomHex(ports.random, 16),
    hostname: ports.hostname,
  };
}

/** The id of a data folder; created if it is missing or was cut short by a crash. */
export async function dataFolderId(
  dataRoot: string,
  ports: Pick<HostIdentityPorts, 'fs' | 'random'>,
): Promise<string> {
  const path = join(dataRoot, FOLDER_ID_FILE);
  const known = (await readStateIfReadable(ports.fs, path))?.toString('utf8').trim() ?? '';
  if (/^[0-9a-f]{32}$/.test(known)) return known;
  const id = randomHex(ports.random, 16);
  await writeFileDurably(ports.fs, path, `${id}\n`);
  return id;
}

/** Empty if the file cannot be read: not every system has it. */
async function firstLine(fs: FileSystem, path: string): Promise<string> {
  const text = await fs.readFile(path, 'utf8').catch(() => '');
  return text.split('\n', 1)[0]!.trim();
}
