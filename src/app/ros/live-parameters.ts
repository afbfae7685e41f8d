/** Parameters that every node takes while it runs. */
const always = new Set(['log.level', 'use_sim_time']);

/** Sync takes these by opening its engine anew, which goes on where it was. */
const syncPatterns = [
  /^upload\.(?!retry_parked$)/,
  /^link\./,
  /^poll_interval_ms$/,
  /^housekeeping_interval_ms$/,
];

export function isLiveForSync(name: string): boolean {
  return always.has(name) || syncPatterns.some((pattern) => pattern.test(name));
}

export function isLiveForRecorder(name: string): boolean {
  return always.has(name);
}
