// Logs a hundred lines to DATA/log/recorder.log and dies of an error nobody catches: dying-process DATA
import { openProcessLog } from '../../../src/app/monitoring/process-log.js';
import { resolve } from '../../../src/settings/resolve.js';
import { silentLogger } from '../../../src/core/logger.js';

const [data = ''] = process.argv.slice(2);
const log = openProcessLog('recorder', resolve('recorder', undefined, { data }).values, silentLogger);
for (let n = 0; n < 100; n++) log.info('line', { n });
throw new Error('the last straw', { cause: new Error('much before') });
