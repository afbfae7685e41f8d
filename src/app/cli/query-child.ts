import { loadDuckDb } from '../../jobs/query/duckdb-library.js';
import type { EngineRequest } from '../../jobs/query/query-engine.js';
import { QuerySession } from '../../jobs/query/query-session.js';
import { serveRequest } from '../../jobs/query/serve-engine.js';

/*
 * Entrance of the process that runs SQL for `holdfast query`:
 * node query-child.js <memory limit in bytes> <folder for what does not fit> <bytes it may have on disk>
 */

const [memoryLimit, spillFolder = '', spillMax] = process.argv.slice(2);
// Without the parent process, nothing reads the answers.
process.on('disconnect', () => process.exit(0));

// Ctrl-C reaches this process too; the parent decides when it ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const session = loadDuckDb().then((duckDb) =>
  QuerySession.open(duckDb, {
    memoryLimitBytes: Number(memoryLimit),
    spillFolder,
    spillMaxBytes: Number(spillMax),
    signal: new AbortController().signal,
  }),
);
// Every request states it.
session.catch(() => {});

function write(text: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    process.stdout.write(text, (error) => (error ? reject(error) : resolve())),
  );
}

process.on('message', (request: EngineRequest) => {
  void (async () => {
    process.send?.(await serveRequest(session, request, write));
  })();
});
