import type { MarkedEvent } from '../../core/marked-event.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import type { ReportedRecording } from '../../ground/catalogue/local-recordings.js';
import type { Catalogue } from '../../ground/catalogue/catalogue.js';
import type { Database } from '../../ground/database/database.js';
import { openConfiguredStore } from '../setup/open-configured-store.js';
import type { Invocation } from './command-definition.js';

/** The catalogue of a ground, with its stores. */
export interface OpenCatalogue extends AsyncDisposable {
  readonly catalogue: Catalogue;
  readonly stores: readonly Store[];
  /** Notes what lies on a robot, and looks at once for the segments that it reports as uploaded. */
  readonly onReport: (
    robot: string,
    report: {
      readonly sequence: number;
      readonly complete: boolean;
      readonly segments: readonly ReportedRecording[];
      readonly events: readonly MarkedEvent[];
    },
  ) => void;
}

/** Opens the stores of `--store`, and starts to list them; undefined: there is no database. */
export async function openCatalogue(
  database: Database | undefined,
  invocation: Invocation,
): Promise<OpenCatalogue | undefined> {
  const { options, ports, logger } = invocation;
  const uris = (options['store'] ?? []) as readonly string[];
  if (database === undefined) {
    if (uris.length === 0) return undefined;
    throw new HoldfastError(
      'REQUEST_INVALID',
      '--store needs a database, allowed: --database embedded or postgres://...',
    );
  }
  const { uploadedKeys } = await import('../../ground/catalogue/uploaded-keys.js');
  const { LocalRecordings } = await import('../../ground/catalogue/local-recordings.js');
  const { Catalogue } = await import('../../ground/catalogue/catalogue.js');
  const stores: Store[] = [];
  const close = async (): Promise<void> => {
    for (const store of stores) await store[Symbol.asyncDispose]();
  };
  try {
    for (const uri of new Set(uris))
      stores.push(await openConfiguredStore(uri, invocation.resolve('sync'), ports));
  } catch (error) {
    await close();
    throw error;
  }
  const catalogue = new Catalogue(database, stores, { clock: ports.clock, logger });
  catalogue.start();
  const local = new LocalRecordings(database, (error) =>
    logger.warn('the segments of a robot are not in the catalogue', { error: describeError(error) }),
  );
  return {
    catalogue,
    stores,
    onReport(robot, { sequence, complete, segments, events }) {
      local.note(robot, segments, { isFirst: sequence === 1, isComplete: complete, events });
      for (const key of uploadedKeys(robot, segments)) catalogue.hint(key);
    },
    async [Symbol.asyncDispose]() {
      await local[Symbol.asyncDispose]();
      await catalogue[Symbol.asyncDispose]();
      await close();
    },
  };
}
