import { startMinio } from '../support/minio.js';
import { s3ServerSuite } from './s3-server-suite.js';

s3ServerSuite({
  name: 'MinIO',
  start: startMinio,
  // An unknown class, and encryption without a key service.
  refused: [{ storage_class: 'UNKNOWN' }, { sse: 'AES256' }],
  verifies: 'store-checksum',
  contract: { listsUploads: false },
});
