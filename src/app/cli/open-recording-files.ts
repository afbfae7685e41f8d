import { openScratchFolder } from '../../host/scratch-folder.js';
import type { Route } from '../../monitors/http/route.js';
import { openConfiguredStore } from '../setup/open-configured-store.js';
import type { Invocation } from './command-definition.js';
import type { OpenCatalogue } from './open-catalogue.js';

/** Files of recordings, reports and exports over HTTP. */
export interface RecordingFiles extends AsyncDisposable {
  readonly routes: readonly Route[];
}

/** Undefined: there is no catalogue. */
export async function openRecordingFiles(
  open: OpenCatalogue | undefined,
  invocation: Invocation,
): Promise<RecordingFiles | undefined> {
  if (open === undefined) return undefined;
  const { ports, logger } = invocation;
  const { clock, random } = ports;
  const { FileTickets } = await import('../../ground/catalogue/file-tickets.js');
  const { fileRoutes } = await import('../../ground/catalogue/file-routes.js');
  const { jobRoutes } = await import('../../ground/catalogue/job-routes.js');
  const { RecordingJobProcesses } = await import('./recording-jobs.js');
  const { database } = open.catalogue;
  const tickets = await FileTickets.open(database, clock, random);
  const scratch = await openScratchFolder('results');
  const results = await openConfiguredStore(`dir:${scratch.path}`, invocation.resolve('sync'), ports);
  const jobs = new RecordingJobProcesses({ scratch: scratch.path, clock, logger, random });
  const { stores } = open;
  return {
    routes: [
      ...fileRoutes({ database, stores: [...stores, results], tickets }),
      ...jobRoutes({ database, stores, tickets, jobs, results }),
    ],
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]();
      await results[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}
