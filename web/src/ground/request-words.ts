import { bytes, counted, percent } from '../model/format.js';
import type { Tone } from './judge.js';
import type { FetchView } from './wire.js';

/** A request in a word, a tone, and a sentence about what happens. */
export interface RequestWords {
  readonly word: string;
  readonly tone: Tone;
  readonly line: string;
}

/** @param isConnected - Whether the robot has an uplink now. */
export function wordsFor(request: FetchView, isConnected: boolean): RequestWords {
  const { state, isSeen, matched, sentBytes, goneSegments, via } = request;
  const gone = goneSegments > 0 ? `, ${counted(goneSegments, 'segment')} gone` : '';
  switch (state) {
    case 'queued':
      if (!isSeen) return { word: 'Waiting', tone: 'quiet', line: waitingLine(via, isConnected) };
      return { word: 'Queued', tone: 'info', line: sumLine(request) || 'The robot has the request.' };
    case 'sending': {
      const share = matched.bytes === 0 ? 0 : Math.min(1, sentBytes / matched.bytes);
      return { word: `Sending ${percent(share * 100)}`, tone: 'info', line: sumLine(request) };
    }
    case 'done':
      if (matched.segments === 0 && goneSegments === 0)
        return {
          ...{ word: 'Nothing to send', tone: 'quiet' },
          line: 'The robot has nothing of that time that is not in the store.',
        };
      return { word: `Done${gone}`, tone: goneSegments > 0 ? 'warn' : 'ok', line: sumLine(request) };
    case 'expired':
      return { word: 'Expired', tone: 'warn', line: sumLine(request) };
    case 'refused':
      return { word: 'Refused', tone: 'bad', line: '' };
    case 'withdrawn':
      return { word: 'Withdrawn', tone: 'quiet', line: sumLine(request) };
  }
}

function waitingLine(via: FetchView['via'], isConnected: boolean): string {
  if (via === 'store') return 'It lies in the store until the robot looks there.';
  return isConnected
    ? 'It is on its way to the robot.'
    : 'The robot is not connected. It gets the request then.';
}

function sumLine({ matched, stored, sentBytes, isRecording }: FetchView): string {
  if (matched.segments === 0) return isRecording ? 'That time is still being recorded.' : '';
  const amount = `${bytes(sentBytes)} of ${bytes(matched.bytes)}`;
  const segments = `${stored.segments} of ${counted(matched.segments, 'segment')} in the store`;
  return `${amount}, ${segments}.${isRecording ? ' A part is still being recorded.' : ''}`;
}
