/**
 * Control between processes of one machine: one JSON object per line in each direction over a Unix domain
 * socket.
 *
 *     -> {"id":1,"request":"mark_event","args":{"label":"bump"}}
 *     <- {"id":1,"ok":true,"result":{...}}
 *     <- {"id":1,"ok":false,"error":{"code":"REQUEST_UNSUPPORTED","message":"..."}}
 */
export const controlRequests = [
  'status',
  'topics',
  'start',
  'stop',
  'split',
  'pause',
  'resume',
  'mark_event',
  'set_tags',
  'sync_now',
  'set_transform',
  'drain',
  'end',
] as const;

export type ControlRequest = (typeof controlRequests)[number];
