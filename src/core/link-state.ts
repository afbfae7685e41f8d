export type LinkState = 'unknown' | 'online' | 'offline';
