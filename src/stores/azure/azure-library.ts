import type * as storageBlob from '@azure/storage-blob';
import { loadOptional } from '../../core/load-optional.js';

export type AzureLibrary = typeof storageBlob;

const CLIENT = {
  name: '@azure/storage-blob',
  what: 'the client of Azure',
  code: 'STORE_UNAVAILABLE',
} as const;

/** The client is an optional dependency of 35 MB. Throws `STORE_UNAVAILABLE` if it cannot be loaded. */
export function loadAzure(
  load: () => Promise<AzureLibrary> = () => import('@azure/storage-blob'),
): Promise<AzureLibrary> {
  return loadOptional(CLIENT, load);
}
