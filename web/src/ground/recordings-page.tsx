import { useState } from 'preact/hooks';
import { bytes, count, duration, msOf, segmentName, timeOfDay } from '../model/format.js';
import { Panel } from '../ui/panel.js';
import { ask } from './ask.js';
import { addressOf, recordingAddress, requestAddress } from './model.js';
import { RecordingTimeline } from './recording-timeline.js';
import { SqlPanel } from './sql-panel.js';
import { usePoll } from './use-poll.js';
import type { FoundRecording } from './wire.js';

const PAGE = 200;
/** What is recorded meanwhile appears, and a ground whose database is back answers. */
const REFRESH_MS = 5_000;

const fields = [
  ['robot', 'Robot'],
  ['topic', 'Topic'],
  ['type', 'Type'],
  ['event', 'Marked event'],
  ['tag', 'Tag (name=value)'],
  ['from', 'From (2026-11-30T10:00Z)'],
  ['to', 'To'],
  ['gap', 'Gap (reason, or *)'],
  ['min_bytes', 'At least (MB)'],
  ['max_bytes', 'At most (MB)'],
] as const;

const states: readonly (readonly [value: string, name: string])[] = [
  ['', 'any'],
  ['stored', 'in the store'],
  ['local', 'on the robot only'],
  ['missing', 'missing in the store'],
  ['evicted', 'evicted, never uploaded'],
];

/** What the API takes: sizes in bytes. A text that is no number stays, and the ground says what is allowed. */
function parameterOf(name: string, value: string): string {
  const megabytes = Number(value);
  return name.endsWith('_bytes') && Number.isFinite(megabytes) ? String(Math.round(megabytes * 1e6)) : value;
}

/** `next` is where the following page begins. */
interface Found {
  readonly recordings: readonly FoundRecording[];
  readonly next?: string;
}

/** The recordings of all stores of the ground, found by the catalogue. */
export function RecordingsPage() {
  const [wanted, setWanted] = useState<Wanted>({});
  /** What was searched for; the form may have changed since. */
  const [query, setQuery] = useState(queryOf({}));
  const { found, why, look, showMore } = useRecordings(query);
  const search = (): void => {
    setQuery(queryOf(wanted));
    look();
  };
  return (
    <>
      <Panel title="Recordings" area="recordings" aside="* stands for any text">
        <SearchForm wanted={wanted} onInput={setWanted} onSearch={search} />
        {why === undefined ? null : (
          <p class="missing" role="alert">
            <strong>No answer:</strong> {why}.
          </p>
        )}
        {found === undefined ? null : <RecordingTimeline recordings={found.recordings} />}
        {found === undefined && why !== undefined ? null : <Recordings found={found} />}
        {found?.next === undefined ? null : (
          <button type="button" class="button quiet" onClick={showMore}>
            Show more
          </button>
        )}
      </Panel>
      <SqlPanel />
    </>
  );
}

function queryOf(wanted: Wanted): string {
  const given = Object.entries(wanted)
    .filter(([, value]) => value.trim() !== '')
    .map(([name, value]) => [name, parameterOf(name, value.trim())]);
  return new URLSearchParams([...given, ['limit', String(PAGE)]]).toString();
}

/** Asks again at intervals, until more than the first page is shown. */
function useRecordings(query: string) {
  const [more, setMore] = useState<Found & { readonly query: string }>();
  const [moreWhy, setMoreWhy] = useState<string | undefined>();
  const rest = more?.query === query ? more : undefined;
  const path = `api/recordings?${query}`;
  const isWhole = rest !== undefined;
  const { value, why, look } = usePoll<Found>(isWhole ? undefined : path, REFRESH_MS, `${path} ${isWhole}`);
  const found = value && {
    recordings: [...value.recordings, ...(rest?.recordings ?? [])],
    next: rest === undefined ? value.next : rest.next,
  };
  const showMore = async (after: string): Promise<void> => {
    const answer = await ask<Found>(`${path}&${new URLSearchParams({ after }).toString()}`);
    setMoreWhy('why' in answer ? answer.why : undefined);
    if (!('value' in answer)) return;
    const { recordings, next } = answer.value;
    setMore({
      query,
      recordings: [...(rest?.recordings ?? []), ...recordings],
      ...(next === undefined ? {} : { next }),
    });
  };
  return {
    ...{ found, why: why ?? moreWhy },
    look: () => {
      setMore(undefined);
      setMoreWhy(undefined);
      look();
    },
    showMore: () => (found?.next === undefined ? undefined : void showMore(found.next)),
  };
}

type Wanted = Readonly<Record<string, string>>;

function SearchForm(props: {
  readonly wanted: Wanted;
  readonly onInput: (wanted: Wanted) => void;
  readonly onSearch: () => void;
}) {
  const { wanted, onInput, onSearch } = props;
  return (
    <form
      class="recording-search"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch();
      }}
    >
      {fields.map(([name, title]) => (
        <label key={name} class="search-field">
          <span>{title}</span>
          <input
            name={name}
            value={wanted[name] ?? ''}
            autocomplete="off"
            inputMode={name.endsWith('_bytes') ? 'decimal' : 'text'}
            onInput={({ currentTarget: { value } }) => onInput({ ...wanted, [name]: value })}
          />
        </label>
      ))}
      <label class="search-field">
        <span>State</span>
        <select
          name="state"
          value={wanted['state'] ?? ''}
          onInput={({ currentTarget: { value } }) => onInput({ ...wanted, state: value })}
        >
          {states.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="button primary">
        Search
      </button>
    </form>
  );
}

function Recordings({ found }: { readonly found: Pick<Found, 'recordings'> | undefined }) {
  if (found === undefined) return <p class="empty">Waiting for the ground…</p>;
  if (found.recordings.length === 0) return <p class="empty">No recording fits.</p>;
  return (
    <div class="scroll audit-scroll" role="region" aria-label="Table of recordings" tabIndex={0}>
      <table class="grid audit-grid recordings-grid">
        <thead>
          <tr>
            <th scope="col">Segment</th>
            <th scope="col">Robot</th>
            <th scope="col">Begins</th>
            <th scope="col">Lasts</th>
            <th scope="col" class="num">
              Messages
            </th>
            <th scope="col" class="num">
              Size
            </th>
            <th scope="col" class="num">
              Gaps
            </th>
            <th scope="col">State</th>
            <th scope="col">Tags</th>
          </tr>
        </thead>
        <tbody>
          {found.recordings.map((one) => (
            <Recording key={one.recording} one={one} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Recording({ one }: { readonly one: FoundRecording }) {
  const { firstLogTime: first, lastLogTime: last, state } = one;
  const tags = Object.entries(one.tags)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return (
    <tr>
      <th scope="row" title={`${one.store} ${one.key}`}>
        <a
          href={recordingAddress(one.recording)}
          aria-label={`Open segment ${segmentName(one.segment)} of ${one.robot}`}
        >
          {segmentName(one.segment)}
        </a>
      </th>
      <td>
        <a href={addressOf(one.robot)} title={one.vin === '' ? undefined : `VIN ${one.vin}`}>
          {one.robot}
        </a>
      </td>
      <td>{first === null ? '–' : timeOfDay(msOf(first))}</td>
      <td>{first === null || last === null ? '–' : duration(msOf(last) - msOf(first))}</td>
      <td class="num">{count(one.messages)}</td>
      <td class="num">{bytes(one.bytes)}</td>
      <td class={`num ${one.gaps > 0 ? 'tone-warn' : 'dim'}`}>{count(one.gaps)}</td>
      <td class={state === 'missing' ? 'tone-bad' : state === 'evicted' ? 'tone-warn' : ''}>
        {state === 'local' ? <OnRobot one={one} /> : stateInWords(state)}
      </td>
      <td class="dim">{tags.join(', ')}</td>
    </tr>
  );
}

function stateInWords(state: FoundRecording['state']): string {
  return states.find(([value]) => value === state)?.[1] ?? state;
}

/** It is in no store: a link to the form that requests it. */
function OnRobot({ one }: { readonly one: FoundRecording }) {
  const { robot, segment, firstLogTime: first, lastLogTime: last } = one;
  if (first === null || last === null) return <>on the robot</>;
  const wanted = { robot, from: String(msOf(first)), to: String(msOf(last)) };
  return (
    <>
      on the robot{' '}
      <a href={requestAddress(wanted)} aria-label={`Fetch segment ${segmentName(segment)} of ${robot}`}>
        Fetch
      </a>
    </>
  );
}
