// One measurement in a process of its own: wal-case VARIANT SIZE COUNT FOLDER; prints one JSON line.
import { mkdir, rm } from 'node:fs/promises';
import { diskBytesWritten, quantile, resident } from './measure.js';
import { variants } from './wal-variants.js';

const [name = '', size = '0', count = '0', folder = ''] = process.argv.slice(2);
const variant = variants[name];
if (!variant) throw new Error(`unknown variant ${name}, allowed: ${Object.keys(variants).join(', ')}`);
await mkdir(folder, { recursive: true });
const cpuBefore = process.cpuUsage();
const diskBefore = diskBytesWritten();
const { seconds, commitMs } = await variant(folder, Number(size), Number(count));
const cpu = process.cpuUsage(cpuBefore);
const written = diskBytesWritten() - diskBefore;
await rm(folder, { recursive: true, force: true });
console.log(
  JSON.stringify({
    messagesPerS: Number(count) / seconds,
    mbPerS: (Number(size) * Number(count)) / 1e6 / seconds,
    p50Ms: quantile(commitMs, 0.5),
    p99Ms: quantile(commitMs, 0.99),
    cpuUsPerMessage: (cpu.user + cpu.system) / Number(count),
    residentMb: resident().peak / 1e6,
    writeAmplification: written / (Number(size) * Number(count)),
  }),
);
