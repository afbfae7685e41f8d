import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { RemoteEngine } from '../../../src/jobs/query/remote-engine.js';

/** The engine of a process that ended as the shell command ends. */
async function endedBy(command: string): Promise<RemoteEngine> {
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
  const { signal } = new AbortController();
  const limits = { memoryLimitBytes: 2e9, timeoutMs: 60_000 };
  const engine = new RemoteEngine({ child, signal, ...limits, deadline: () => signal });
  await once(child, 'exit');
  return engine;
}

describe('the process of a query that has ended', () => {
  for (const [what, command, said] of [
    [
      'was not found',
      'exec /no/such/program',
      'the process that runs queries cannot be started (exit code 127)',
    ],
    ['is no program', 'exec /dev/null', 'the process that runs queries cannot be started (exit code 126)'],
    [
      'could not be limited',
      'exit 125',
      'this system does not limit the memory of a process, so no query is run',
    ],
    [
      'was killed',
      'kill -KILL $$',
      'the process that ran the query ended (SIGKILL): it most likely needed more memory than --memory-limit 2.0 GB allows',
    ],
  ] as const) {
    it(`is reported with its cause: it ${what}`, async () => {
      await using engine = await endedBy(command);
      await assert.rejects(engine.tableNames('SELECT 1', []), { code: 'QUERY_FAILED', message: said });
    });
  }
});
