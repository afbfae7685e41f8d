import { useEffect, useState } from 'preact/hooks';
import {
  bytes,
  count,
  counted,
  duration,
  msOf,
  rate,
  reasonInWords,
  segmentName,
  timeOfDay,
} from '../model/format.js';
import { post } from '../net/control.js';
import { Icon } from '../ui/icon.js';
import { Fact, Facts, Panel } from '../ui/panel.js';
import { ask } from './ask.js';
import { addressOf, recordingAddress, requestAddress } from './model.js';
import { foxgloveAddress } from './foxglove-address.js';
import { RecordingJobs } from './recording-jobs.js';
import type { FoundRecording, RecordingDetail } from './wire.js';

const RETRY_MS = 2_000;
/** A recording on its robot may be uploaded while the page is open. */
const LOCAL_MS = 5_000;
const SERVER_FAULT = 500;
const NOT_FOUND = 404;

/** Everything about one recording, and links to its file. */
export function RecordingPage({ recording }: { readonly recording: string }) {
  const { detail, file, why } = useRecording(recording);
  return (
    <>
      <nav class="crumbs" aria-label="Where">
        <a href="#/recordings">Recordings</a> <span aria-hidden="true">/</span>{' '}
        <b>{detail === undefined ? recording : `${detail.robot}, segment ${segmentName(detail.segment)}`}</b>
      </nav>
      {why === undefined ? null : (
        <p class="missing" role="alert">
          <strong>{detail === undefined ? 'No recording' : 'No file'}:</strong> {why}.
        </p>
      )}
      {detail === undefined ? null : (
        <>
          <Links detail={detail} file={file} />
          {detail.state === 'stored' ? <RecordingJobs recording={detail.recording} /> : null}
          <div class="recording-panels">
            <About detail={detail} />
            <Topics detail={detail} />
            <Events detail={detail} />
            <Gaps detail={detail} />
          </div>
        </>
      )}
    </>
  );
}

function Links({ detail, file }: { readonly detail: RecordingDetail; readonly file: string | undefined }) {
  const { state, robot, firstLogTime: first, lastLogTime: last } = detail;
  if (state === 'local' && first !== null && last !== null)
    return (
      <p class="actions">
        <a
          class="button primary"
          href={requestAddress({ robot, from: String(msOf(first)), to: String(msOf(last)) })}
        >
          <Icon name="up" />
          Fetch from the robot
        </a>
        <span class="dim">It is on the robot only.</span>
      </p>
    );
  if (file === undefined) return null;
  const address = new URL(file, location.href).href;
  return (
    <p class="actions">
      <a class="button primary" href={foxgloveAddress(address)} target="_blank" rel="noreferrer">
        <Icon name="play" />
        Open in Foxglove
      </a>
      <a class="button" href={`${address}&download=true`} download>
        <Icon name="export" />
        Download
      </a>
      <span class="dim">The links work for 12 hours, for everybody who has them.</span>
    </p>
  );
}

const stateWords: Readonly<Record<RecordingDetail['state'], string>> = {
  stored: 'in the store',
  local: 'on the robot only',
  missing: 'missing: the store has its manifest, but not its file',
  evicted: 'evicted on the robot before its upload',
};

function About({ detail }: { readonly detail: RecordingDetail }) {
  const { firstLogTime: first, lastLogTime: last, tags } = detail;
  return (
    <Panel title="Recording" area="recording">
      <Facts>
        <Fact term="Robot">
          <a href={addressOf(detail.robot)}>{detail.robot}</a>
        </Fact>
        {detail.vin === '' ? null : <Fact term="VIN">{detail.vin}</Fact>}
        <Fact term="State" tone={detail.state === 'missing' ? 'bad' : undefined}>
          {stateWords[detail.state]}
          {detail.evictedReason === null ? '' : ` (${reasonInWords(detail.evictedReason)})`}
        </Fact>
        <Fact term="Begins">{first === null ? 'no messages' : timeOfDay(msOf(first))}</Fact>
        <Fact term="Lasts">{first === null || last === null ? '–' : duration(msOf(last) - msOf(first))}</Fact>
        <Fact term="Messages">{count(detail.messages)}</Fact>
        <Fact term="Size">{bytes(detail.bytes)}</Fact>
        <Fact term="End" tone={detail.uncleanEnd ? 'warn' : undefined}>
          {detail.uncleanEnd ? 'the recorder was killed or lost power' : 'clean'}
        </Fact>
        {Object.entries(tags)
          .sort()
          .map(([name, value]) => (
            <Fact key={name} term={`Tag ${name}`}>
              {value}
            </Fact>
          ))}
        <Fact term="Key">
          <code class="recording-key">{detail.key}</code>
        </Fact>
      </Facts>
    </Panel>
  );
}

function Topics({ detail: { channels } }: { readonly detail: RecordingDetail }) {
  return (
    <Panel title="Topics" area="recording-topics" aside={counted(channels.length, 'topic')}>
      {channels.length === 0 ? (
        <p class="empty">The catalogue does not know them.</p>
      ) : (
        <div class="scroll side-scroll" role="region" aria-label="Table of topics" tabIndex={0}>
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">Topic</th>
                <th scope="col">Type</th>
                <th scope="col" class="num">
                  Messages
                </th>
                <th scope="col" class="num">
                  Per second
                </th>
                <th scope="col" class="num">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {channels.map(({ topic, type, encoding, messages, bytes: size, rateHz }) => (
                <tr key={`${topic} ${type} ${encoding}`}>
                  <th scope="row">{topic}</th>
                  <td class="dim">{type}</td>
                  <td class="num">{messages === null ? '–' : count(messages)}</td>
                  <td class="num">{rateHz === null ? '–' : rate(rateHz)}</td>
                  <td class="num">{size === null ? '–' : bytes(size)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Events({ detail: { events } }: { readonly detail: RecordingDetail }) {
  if (events.length === 0) return null;
  return (
    <Panel title="Marked events" area="events" aside={counted(events.length, 'event')}>
      <ul class="plain-list" role="list">
        {events.map(({ event, label, at }) => (
          <li key={event}>
            <span class="dim">{timeOfDay(msOf(at))}</span> {label}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Gaps({ detail: { gapList, gaps } }: { readonly detail: RecordingDetail }) {
  if (gapList.length === 0) return null;
  return (
    <Panel title="Gaps" area="gaps" aside={counted(gaps, 'gap')}>
      <ul class="plain-list" role="list">
        {gapList.slice(0, 100).map(({ reason, topic, messages }, index) => (
          <li key={index}>
            <b class="tone-warn">{messages === null ? 'An unknown number' : counted(messages, 'message')}</b>
            {topic === '' ? '' : ` of ${topic}`}: {reasonInWords(reason)}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** Where a recording is in a store by now, which was on its robot only before: there it has another number. */
async function storedNumberOf({
  robot,
  segment,
  priority,
  ...one
}: RecordingDetail): Promise<number | undefined> {
  const { firstLogTime: first, lastLogTime: last } = one;
  if (first === null || last === null) return undefined;
  const from = new Date(Math.floor(msOf(first))).toISOString();
  const to = new Date(Math.ceil(msOf(last))).toISOString();
  const wanted = new URLSearchParams({ robot, state: 'stored', from, to });
  const answer = await ask<{ readonly recordings: readonly FoundRecording[] }>(
    `api/recordings?${wanted.toString()}`,
  );
  if (!('value' in answer)) return undefined;
  return answer.value.recordings.find(
    (found) => found.robot === robot && found.segment === segment && found.priority === priority,
  )?.recording;
}

/**
 * Asked until there is an answer: a stored recording does not change, and a link is needed once. One that is on its robot
 * only is asked for again, until a store has it.
 */
function useRecording(recording: string) {
  const [detail, setDetail] = useState<RecordingDetail | undefined>();
  const [file, setFile] = useState<string | undefined>();
  const [why, setWhy] = useState<string | undefined>();
  useEffect(() => {
    const path = `api/recordings/${encodeURIComponent(recording)}`;
    let isOver = false;
    const link = async (): Promise<void> => {
      const outcome = await post(`${path}/link`, {});
      if (isOver) return;
      if (outcome.ok) setFile((outcome.result as { readonly path: string }).path);
      else setWhy(outcome.why);
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onRobot: RecordingDetail | undefined;
    const again = (inMs: number): void => {
      timer = setTimeout(() => void look(), inMs);
    };
    /** Until the catalogue has listed the store, it has the recording under neither number. */
    const follow = async (gone: RecordingDetail): Promise<void> => {
      const stored = await storedNumberOf(gone);
      if (isOver) return;
      if (stored === undefined) again(LOCAL_MS);
      else location.replace(recordingAddress(stored));
    };
    const look = async (): Promise<void> => {
      const answer = await ask<RecordingDetail>(path);
      if (isOver) return;
      if (onRobot !== undefined && 'why' in answer && answer.status === NOT_FOUND) {
        await follow(onRobot);
        return;
      }
      setDetail('value' in answer ? answer.value : undefined);
      setWhy('why' in answer ? answer.why : undefined);
      if ('value' in answer && answer.value.state === 'stored') void link();
      onRobot = 'value' in answer && answer.value.state === 'local' ? answer.value : undefined;
      if (onRobot !== undefined) again(LOCAL_MS);
      // The ground or its database is out of reach.
      if ('why' in answer && (answer.status === undefined || answer.status >= SERVER_FAULT)) again(RETRY_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
      setFile(undefined);
    };
  }, [recording]);
  return { detail, file, why };
}
