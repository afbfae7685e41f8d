import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';
import { endChild } from './end-child.js';
import { freePort } from './free-port.js';
import { createBucket, type OwnS3Server } from './s3-server.js';

const PROGRAM = 'HOLDFAST_TEST_MINIO';
const START_TIMEOUT_MS = 30_000;

/** Starts a MinIO with one drive: the program that `HOLDFAST_TEST_MINIO` names, or `minio` of the PATH; skips the test without either. */
export async function startMinio(context: Mocha.Context): Promise<OwnS3Server> {
  const program = process.env[PROGRAM] ?? 'minio';
  if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0) {
    lacking(context, 'minio', `${program} does not run (${PROGRAM} names the program of MinIO)`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-minio-'));
  const address = `127.0.0.1:${await freePort()}`;
  const endpoint = `http://${address}`;
  const credentials = { accessKeyId: 'tester', secretAccessKey: 'testing-minio' };
  const args = [
    'server',
    '--quiet',
    '--address',
    address,
    '--console-address',
    `127.0.0.1:${await freePort()}`,
  ];
  const env = { MINIO_ROOT_USER: credentials.accessKeyId, MINIO_ROOT_PASSWORD: credentials.secretAccessKey };
  const child = spawn(program, [...args, join(folder, 'drive')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, MINIO_UPDATE: 'off', ...env },
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-4_000)));
  const kill = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    await endChild(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`MinIO ended with exit code ${child.exitCode}: ${said}`);
        const answer = await fetch(`${endpoint}/minio/health/ready`).catch(() => undefined);
        return answer?.status === 200;
      },
      'MinIO',
      START_TIMEOUT_MS,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const server = { endpoint, ...credentials };
  return {
    ...server,
    createBucket: (name) => createBucket(server, name),
    [Symbol.asyncDispose]: stop,
  };
}
