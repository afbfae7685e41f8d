import type { Status } from '../wire.js';
import { bytes, coarse, count, counted, duration, msOf, timeOfDay } from './format.js';
import type { Connection } from './live.js';

export type Tone = 'ok' | 'info' | 'warn' | 'bad' | 'quiet';

/** The answer to one of the three questions for which an operator opens the page. */
export interface Answer {
  readonly tone: Tone;
  readonly headline: string;
  readonly lines: readonly string[];
}

const unknown: Answer = { tone: 'quiet', headline: 'Not known yet', lines: [] };

/** Is it being recorded? */
export function recordingAnswer(status: Status | undefined, link: Connection, robot: string): Answer {
  if (link.state === 'lost') {
    return {
      tone: 'bad',
      headline: link.everLive ? 'Recorder lost' : 'No recorder',
      lines: [
        link.everLive
          ? `No answer since ${timeOfDay(link.sinceMs)}. The page cannot tell whether it records.`
          : 'Nothing answers at this address.',
      ],
    };
  }
  if (status === undefined) return unknown;
  const { recorder, phase } = status;
  const who = robot === '' ? counted(recorder.robots.length, 'robot') : robot;
  const shown = robot === '' ? recorder.rates : recorder.robots.find((one) => one.robot === robot);
  const rates = `${count(shown?.messagesPerS ?? 0)} messages/s, ${bytes(shown?.bytesPerS ?? 0)}/s`;
  const since = `since ${timeOfDay(msOf(recorder.startedAt), status.atMs)}`;
  if (phase !== 'active') return atRest(phase, recorder.state);
  switch (recorder.state) {
    case 'recording':
      return {
        tone: 'ok',
        headline: `Recording ${who}`,
        lines: [`${rates}, ${since}`, ...silentRobots(status)],
      };
    case 'paused':
      return {
        tone: 'warn',
        headline: 'Paused',
        lines: ['Arriving messages are refused and counted as gaps.'],
      };
    case 'stalled':
      return {
        tone: 'bad',
        headline: 'Stalled',
        lines: [`No message can be made durable: ${recorder.stalledReason ?? 'unknown reason'}.`],
      };
    case 'recovering':
      return {
        tone: 'info',
        headline: 'Recovering',
        lines: ['The recorder repairs the data of an earlier run.'],
      };
    case 'draining':
      return {
        tone: 'info',
        headline: 'Stopping',
        lines: ['The recorder commits and seals all received messages.'],
      };
    case 'inactive':
    case 'stopped':
      return { tone: 'quiet', headline: 'Stopped', lines: ['Nothing is recorded.'] };
  }
}

/** A robot that was seen and is gone would look like a healthy recording in every sum. */
function silentRobots({ recorder }: Status): string[] {
  const silent = recorder.robots.filter((one) => one.messagesPerS === 0).map((one) => one.robot);
  if (silent.length === 0 || recorder.rates.messagesPerS === 0) return [];
  const some = silent.slice(0, 3).join(', ') + (silent.length > 3 ? ` and ${silent.length - 3} more` : '');
  return [`Silent: ${some}`];
}

function atRest(phase: string, state: string): Answer {
  if (phase === 'activating' || phase === 'configuring') {
    return { tone: 'info', headline: 'Starting', lines: ['The recorder opens its sources.'] };
  }
  if (phase === 'deactivating' || phase === 'cleaning-up' || state === 'draining') {
    return {
      tone: 'info',
      headline: 'Stopping',
      lines: ['The recorder commits and seals all received messages.'],
    };
  }
  return { tone: 'quiet', headline: 'Not recording', lines: ['The recorder waits to be started.'] };
}

/** How much is at risk? */
export function riskAnswer(status: Status | undefined, alertLimitMs: number | undefined): Answer {
  if (status === undefined) return unknown;
  const { lossWindow } = status.recorder;
  const { sync } = status;
  const isLarge = alertLimitMs !== undefined && lossWindow.ms > alertLimitMs;
  const unsynced =
    sync === null
      ? []
      : sync.segments.pending === 0
        ? [
            (sync.segments.held ?? 0) === 0
              ? 'All sealed segments are in the store.'
              : `Only on this disk by policy: ${bytes(sync.bytes.held ?? 0)}`,
          ]
        : [
            `Only on this disk: ${bytes(sync.bytes.pending)}` +
              (sync.oldestUnsyncedAt === undefined
                ? ''
                : `, oldest ${coarse(status.atMs - msOf(sync.oldestUnsyncedAt))}`),
          ];
  return {
    tone: isLarge ? 'bad' : 'ok',
    headline: lossWindow.messages === 0 ? 'Nothing at risk' : `${duration(lossWindow.ms)} at risk`,
    lines: [
      `${counted(lossWindow.messages, 'message')}, ${bytes(lossWindow.bytes)} not yet durable; ` +
        `worst ${duration(lossWindow.maxMs)}`,
      ...unsynced,
    ],
  };
}

/** What is the link doing? */
export function linkAnswer(status: Status | undefined, syncSeenAtMs: number | undefined): Answer {
  if (status === undefined) return unknown;
  const { sync, atMs } = status;
  if (sync === null) {
    return {
      tone: syncSeenAtMs === undefined ? 'quiet' : 'bad',
      headline: syncSeenAtMs === undefined ? 'Sync is not running' : 'Sync process lost',
      lines: [
        syncSeenAtMs === undefined
          ? 'Nothing is uploaded; recording continues.'
          : `No answer since ${timeOfDay(syncSeenAtMs, atMs)}. Recording continues, nothing is uploaded.`,
      ],
    };
  }
  const since = coarse(atMs - msOf(sync.linkSince));
  const waiting = sync.segments.pending;
  const queue =
    waiting === 0 ? 'Nothing waits.' : `${counted(waiting, 'segment')}, ${bytes(sync.bytes.pending)} to go`;
  if (sync.link === 'offline') {
    const retry = sync.nextRetryInMs === undefined ? '' : `; next try in ${coarse(sync.nextRetryInMs)}`;
    return { tone: 'warn', headline: `Offline for ${since}`, lines: [`${queue}${retry}`] };
  }
  if (sync.link === 'unknown') return { tone: 'info', headline: 'Trying the link', lines: [queue] };
  if (waiting > 0 && sync.isSyncing) {
    const eta = sync.etaMs === undefined ? '' : `, about ${coarse(sync.etaMs)}`;
    return {
      tone: 'ok',
      headline: `Uploading ${bytes(sync.transferBytesPerS)}/s`,
      lines: [`${queue}${eta}`, `online for ${since}`],
    };
  }
  return { tone: 'ok', headline: 'Online', lines: [queue, `online for ${since}`] };
}
