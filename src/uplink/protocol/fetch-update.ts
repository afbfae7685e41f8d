import type {
  Amount,
  FetchAnswer,
  FetchRequest,
  FetchState,
  FetchedState,
} from '../../core/fetch-request.js';

/** What sync of one store of a robot says about a request: {@link FetchAnswer} within the bounds of a message. */
export interface FetchUpdate {
  /** 32 hex digits. */
  readonly id: string;
  /** Names the store: 16 hex digits. Empty: the recorder itself, which has the request. */
  readonly place: string;
  readonly state: FetchState;
  /** On the clock of the robot, decimal nanoseconds since the Unix epoch. */
  readonly at: string;
  /** Why it is in this state; may be empty. */
  readonly reason: string;
  readonly matched: Amount;
  readonly stored: Amount;
  /** Bytes of the segment that is being sent, which the store has not confirmed. */
  readonly sendingBytes: number;
  /** Part of the time is not sealed yet. */
  readonly isRecording: boolean;
  /** The newest {@link fetchLimits.segments} that match. */
  readonly segments: readonly {
    readonly name: string;
    readonly key: string;
    readonly bytes: number;
    readonly state: FetchedState;
    readonly reason: string;
  }[];
  /** The first {@link fetchLimits.gone} that were evicted before their upload. */
  readonly gone: readonly {
    readonly name: string;
    readonly messages: number;
    readonly bytes: number;
    /** When it was evicted. */
    readonly at: string;
    readonly reason: string;
  }[];
  /** Number of all that are gone. */
  readonly goneSegments: number;
}

/** Bounds of requests and updates; a receiver refuses what is beyond them. */
export const fetchLimits = {
  /** Open requests of one robot. */
  requests: 16,
  topics: 20,
  /** Of a topic, a name, a key or a reason, bytes. */
  textBytes: 500,
  segments: 50,
  gone: 50,
} as const;

export const fetchStates: readonly FetchState[] = ['queued', 'sending', 'done', 'expired', 'refused'];
export const fetchedStates: readonly FetchedState[] = ['waiting', 'sending', 'stored', 'parked'];

/** Makes an update from an answer of sync. */
export function updateOf(place: string, answer: FetchAnswer): FetchUpdate {
  const { id, state, at, reason = '', matched, stored, isRecording, progress = 0 } = answer;
  const sending = answer.segments.find((one) => one.state === 'sending');
  return {
    ...{ id, place, state, at, reason: fetchText(reason), matched, stored, isRecording },
    sendingBytes: Math.round((sending?.bytes ?? 0) * progress),
    segments: answer.segments.slice(-fetchLimits.segments).map((one) => ({
      ...{ name: fetchText(one.name), key: fetchText(one.key), bytes: one.bytes },
      ...{ state: one.state, reason: fetchText(one.reason ?? '') },
    })),
    gone: answer.gone.slice(0, fetchLimits.gone).map((one) => ({
      ...{ name: fetchText(one.name), messages: one.messages, bytes: one.bytes },
      ...{ at: one.at, reason: fetchText(one.reason) },
    })),
    goneSegments: answer.gone.length,
  };
}

/** What the recorder itself says about a request. */
export function ownUpdate({ id }: FetchRequest, state: FetchState, at: bigint, reason: string): FetchUpdate {
  const none = { segments: 0, bytes: 0 };
  return {
    ...{ id, place: '', state, at: String(at), reason: fetchText(reason), matched: none, stored: none },
    ...{ sendingBytes: 0, isRecording: false, segments: [], gone: [], goneSegments: 0 },
  };
}

/** A text within the bound, cut at a character. */
function fetchText(text: string): string {
  if (Buffer.byteLength(text) <= fetchLimits.textBytes) return text;
  const cut = Buffer.from(text).subarray(0, fetchLimits.textBytes - 3);
  return `${cut.toString('utf8').replace(/\ufffd$/, '')}…`;
}
