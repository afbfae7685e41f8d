import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { ownUserId } from '../../src/host/user-id.js';
import type { AzureEnvironment } from '../../src/stores/azure/azure-credentials.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { eventually } from '../../src/testing/waiting.js';
import { freePort } from './free-port.js';

const VERSION = '3.35.0';
const ACCOUNT = 'holdfast';
const KEY = bytesOf(64, 5).toString('base64');
/** For downloading about 100 MB. */
const INSTALL_TIMEOUT_MS = 240_000;
const START_TIMEOUT_MS = 60_000;

/** Microsoft's own emulator of Azure Blob Storage, on loopback. */
export interface Azurite {
  readonly account: string;
  /** Address of the account. */
  readonly endpoint: string;
  /** With its key. */
  readonly environment: AzureEnvironment;
  /** A client of its own, beside the tested one. */
  container(name: string): ContainerClient;
  stop(): void;
}

/** The program, from npm and kept for later runs; otherwise the reason. It is far too large for package.json. */
export function findAzurite(): { readonly path: string } | { readonly missing: string } {
  const home = join(tmpdir(), `holdfast-test-azurite-${ownUserId()}-${VERSION}`);
  const path = join(home, 'node_modules', 'azurite', 'dist', 'src', 'blob', 'main.js');
  if (existsSync(join(home, 'complete'))) return { path };
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{}');
  const install = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--legacy-peer-deps',
    `azurite@${VERSION}`,
  ];
  const { status, stderr, error } = spawnSync('npm', install, {
    cwd: home,
    timeout: INSTALL_TIMEOUT_MS,
    encoding: 'utf8',
  });
  if (status !== 0) return { missing: `no Azurite from npm: ${(error?.message ?? stderr).slice(0, 300)}` };
  writeFileSync(join(home, 'complete'), '');
  return { path };
}

/** Starts it with an empty account in memory; it ends with the process at the latest. */
export async function startAzurite(path: string): Promise<Azurite> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-azurite-'));
  const address = ['--blobHost', '127.0.0.1', '--blobPort', String(port)];
  const quiet = ['--silent', '--disableTelemetry', '--skipApiVersionCheck', '--inMemoryPersistence'];
  const child = spawn(process.execPath, [path, ...address, ...quiet], {
    cwd: folder,
    env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${KEY}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said = `${said}${data.toString()}`.slice(-4_000)));
  const stop = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', stop);
  const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
  const answers = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`Azurite does not start: ${said}`);
    return fetch(endpoint).then(
      () => true,
      () => false,
    );
  };
  await eventually(answers, 'Azurite', START_TIMEOUT_MS);
  const credential = new StorageSharedKeyCredential(ACCOUNT, KEY);
  return {
    account: ACCOUNT,
    endpoint,
    environment: { AZURE_STORAGE_KEY: KEY },
    container: (name) => new ContainerClient(`${endpoint}/${name}`, credential),
    stop: () => {
      process.off('exit', stop);
      stop();
    },
  };
}
