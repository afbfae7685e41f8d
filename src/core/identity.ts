/** Where a recording was made. Written into every manifest and MCAP. */
export interface Identity {
  /** 32 hex digits, created once per data folder. */
  readonly dataFolderId: string;
  /** Derived by SHA-256 from /etc/machine-id (never the raw value), 32 hex digits; empty if unknown. */
  readonly machineId: string;
  /** /proc/sys/kernel/random/boot_id; empty if unknown. */
  readonly bootId: string;
  /** 32 hex digits, created at each start of the recorder. */
  readonly sessionId: string;
  readonly hostname: string;
}

/** Randomness, injected: `size` random bytes. */
export type RandomBytes = (size: number) => Uint8Array;

export function randomHex(random: RandomBytes, bytes: number): string {
  return Buffer.from(random(bytes)).toString('hex');
}
