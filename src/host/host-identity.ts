import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readStateIfReadable, syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { systemCode } from '../core/errors.js';
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

/**
 * The id of a data folder; created if it is missing or was cut short by a crash. Recorder and sync may start at the
 * same time on a new folder, so the first one to link its file gives the id, and the other one takes it.
 */
export async function dataFolderId(
  dataRoot: string,
  ports: Pick<HostIdentityPorts, 'fs' | 'random'>,
): Promise<string> {
  const { fs, random } = ports;
  const path = join(dataRoot, FOLDER_ID_FILE);
  const known = await readId(fs, path);
  if (known !== undefined) return known;
  const id = randomHex(random, 16);
  // A name of its own: with a common one, the other process would rename this file.
  const temporary = `${path}.${id}`;
  await writeFileDurably(fs, temporary, `${id}\n`);
  try {
    await fs.link(temporary, path);
  } catch (error) {
    const other = systemCode(error) === 'EEXIST' ? await readId(fs, path) : undefined;
    if (other !== undefined) return other;
    // It was cut short, or the file system has no hard links.
    await fs.rename(temporary, path);
  } finally {
    await fs.rm(temporary, { force: true });
  }
  await syncDirectory(fs, dataRoot);
  return id;
}

async function readId(fs: FileSystem, path: string): Promise<string | undefined> {
  const text = (await readStateIfReadable(fs, path))?.toString('utf8').trim() ?? '';
  return /^[0-9a-f]{32}$/.test(text) ? text : undefined;
}

/** Empty if the file cannot be read: not every system has it. */
async function firstLine(fs: FileSystem, path: string): Promise<string> {
  const text = await fs.readFile(path, 'utf8').catch(() => '');
  return text.split('\n', 1)[0]!.trim();
}
