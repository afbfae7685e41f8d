import { startCeph } from '../support/ceph.js';
import { s3ServerSuite } from './s3-server-suite.js';

s3ServerSuite({
  name: 'Ceph RGW',
  start: startCeph,
  refused: [{ storage_class: 'UNKNOWN' }, { sse: 'AES256' }],
  // Ceph ignores the condition of a completion.
  options: { conditional: 'false' },
  verifies: 'read-back',
  contract: {},
});
