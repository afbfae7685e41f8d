import type * as storageBlob from '@azure/storage-blob';
import { describeError, HoldfastError } from '../../core/errors.js';

export type AzureLibrary = typeof storageBlob;

/** The client is an optional dependency of 35 MB. Throws `STORE_UNAVAILABLE` if it cannot be loaded. */
export async function loadAzure(
  load: () => Promise<AzureLibrary> = () => import('@azure/storage-blob'),
): Promise<AzureLibrary> {
  try {
    return await load();
  } catch (cause) {
    const [reason] = describeError(cause).split('\n');
    throw new HoldfastError(
      'STORE_UNAVAILABLE',
      `the client of Azure cannot be loaded (npm install @azure/storage-blob): ${reason}`,
      { facts: { reason } },
    );
  }
}
