import { useEffect, useState } from 'preact/hooks';
import { bytes, count, duration, msOf, segmentName, timeOfDay } from '../model/format.js';
import { Panel } from '../ui/panel.js';
import { ask } from './ask.js';
import { addressOf, recordingAddress, requestAddress } from './model.js';
import { RecordingTimeline } from './recording-timeline.js';
import { SqlPanel } from './sql-panel.js';
import type { FoundRecording } from './wire.js';

const PAGE = 200;

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

interface Found {
  readonly recordings: readonly FoundRecording[];
  readonly next?: string;
}

/** The recordings of all stores of the ground, found by the catalogue. */
export function RecordingsPage() {
  const [wanted, setWanted] = useState<Wanted>({});
  const [found, setFound] = useState<Found | undefined>();
  const [why, setWhy] = useState<string | undefined>();
  const search = async (after?: string): Promise<void> => {
    const given = Object.entries(wanted)
      .filter(([, value]) => value.trim() !== '')
      .map(([name, value]) => [name, parameterOf(name, value.trim())]);
    const query = new URLSearchParams([...given, ['limit', String(PAGE)]]);
    if (after !== undefined) query.set('after', after);
    const answer = await ask<Found>(`api/recordings?${query.toString()}`);
    setWhy('why' in answer ? answer.why : undefined);
    if (!('value' in answer)) return;
    const { value } = answer;
    const before = after === undefined ? [] : (found?.recordings ?? []);
    setFound({ ...value, recordings: [...before, ...value.recordings] });
  };
  useEffect(() => void search(), []);
  return (
    <>
      <Panel title="Recordings" area="recordings" aside="* stands for any text">
        <SearchForm wanted={wanted} onInput={setWanted} onSearch={() => void search()} />
        {why === undefined ? null : (
          <p class="missing" role="alert">
            <strong>No answer:</strong> {why}.
          </p>
        )}
        {found === undefined ? null : <RecordingTimeline recordings={found.recordings} />}
        <Recordings found={found} />
        {found?.next === undefined ? null : (
          <button type="button" class="button quiet" onClick={() => void search(found.next)}>
            Show more
          </button>
        )}
      </Panel>
      <SqlPanel />
    </>
  );
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

function Recordings({ found }: { readonly found: Found | undefined }) {
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
        {state === 'local' ? <OnRobot one={one} /> : state}
      </td>
      <td class="dim">{tags.join(', ')}</td>
    </tr>
  );
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
