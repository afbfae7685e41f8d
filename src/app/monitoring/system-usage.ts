import { cpus, freemem, loadavg, totalmem } from 'node:os';
import type { SystemUsage } from '../../core/monitoring.js';

const MB = 1e6;

/** Resources of this process; CPU is over the time since the previous call. Takes well under a millisecond. */
export function systemUsageMeter(): () => SystemUsage {
  const cores = cpus().length;
  let cpu = process.cpuUsage();
  let at = process.hrtime.bigint();
  let cpuPercent = 0;
  return () => {
    const now = process.hrtime.bigint();
    const elapsedUs = Number(now - at) / 1_000;
    // Two calls within a moment must not give a meaningless rate.
    if (elapsedUs > 100_000) {
      const used = process.cpuUsage(cpu);
      cpuPercent = ((used.user + used.system) / elapsedUs) * 100;
      cpu = process.cpuUsage();
      at = now;
    }
    const memory = process.memoryUsage();
    return {
      memoryMb: memory.rss / MB,
      heapMb: memory.heapUsed / MB,
      cpuPercent: Math.round(cpuPercent * 10) / 10,
      cores,
      loadAverage1m: loadavg()[0] ?? 0,
      hostMemoryFreeMb: freemem() / MB,
      hostMemoryTotalMb: totalmem() / MB,
      uptimeS: Math.round(process.uptime()),
    };
  };
}
