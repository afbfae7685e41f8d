import { HoldfastError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import type { ReportedPlace } from '../../ground/catalogue/uploaded-keys.js';
import type { Catalogue } from '../../ground/catalogue/catalogue.js';
import type { Database } from '../../ground/database/database.js';
import { openConfiguredStore } from '../setup/open-configured-store.js';
import type { Invocation } from './command-definition.js';

/** The catalogue of a ground, with its stores. */
export interface OpenCatalogue extends AsyncDisposable {
  readonly catalogue: Catalogue;
  /** Looks at once for the segments that a robot reports as uploaded. */
  readonly onReport: (robot: string, report: { readonly segments: readonly ReportedPlace[] }) => void;
}

/** Opens the stores of `--store`, and starts to list them; undefined: there are none. */
export async function openCatalogue(
  database: Database | undefined,
  invocation: Invocation,
): Promise<OpenCatalogue | undefined> {
  const { options, ports, logger } = invocation;
  const uris = (options['store'] ?? []) as readonly string[];
  if (uris.length === 0) return undefined;
  if (database === undefined) {
    throw new HoldfastError(
      'REQUEST_INVALID',
      '--store needs a database, allowed: --database embedded or postgres://...',
    );
  }
  const { uploadedKeys } = await import('../../ground/catalogue/uploaded-keys.js');
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
  return {
    catalogue,
    onReport(robot, { segments }) {
      for (const key of uploadedKeys(robot, segments)) catalogue.hint(key);
    },
    async [Symbol.asyncDispose]() {
      await catalogue[Symbol.asyncDispose]();
      await close();
    },
  };
}
