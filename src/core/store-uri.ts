/** The forms of a store's URI, for messages. */
export const STORE_FORMS =
  'dir:PATH, s3://bucket/prefix, azure://account/container/prefix or sftp://host/path';

const STORE = /^(dir|s3|azure|sftp):/;

/** Whether a text is the URI of a store, by its scheme. */
export function isStoreUri(text: string): boolean {
  return STORE.test(text);
}

/** Whether the query of a store's URI holds options. The path of a folder is literal. */
export function hasStoreOptions(uri: string): boolean {
  return isStoreUri(uri) && !uri.startsWith('dir:');
}
