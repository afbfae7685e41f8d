import { useState } from 'preact/hooks';
import { bytes, counted, duration, msOf, reasonInWords, segmentName, timeOfDay } from '../model/format.js';
import { useStore } from '../model/store.js';
import { post } from '../net/control.js';
import { Dialog } from '../ui/dialog.js';
import { Icon } from '../ui/icon.js';
import { Meter, Panel } from '../ui/panel.js';
import { toneIcons } from './answer-card.js';
import { addressOf, fleet, place, role } from './model.js';
import { RequestForm } from './request-form.js';
import { wordsFor } from './request-words.js';
import { usePoll } from './use-poll.js';
import type { FetchView } from './wire.js';

const ASK_MS = 2_000;

/** Requests for what robots have recorded, and how they proceed. */
export function RequestsPage() {
  const where = useStore(place);
  const mayAct = useStore(role) !== 'viewer';
  const [isOpen, setOpen] = useState(false);
  const { value, why, look } = usePoll<{ readonly requests: readonly FetchView[] }>(
    `api/requests?open=${String(isOpen)}`,
    ASK_MS,
  );
  const requests = value?.requests;
  const [asked, setAsked] = useState<FetchView | undefined>();
  const [fault, setFault] = useState<string | undefined>();
  const wanted = where.page === 'requests' ? where.wanted : {};
  const withdraw = async (request: FetchView): Promise<void> => {
    setAsked(undefined);
    const outcome = await post(`api/requests/${request.id}/withdraw`, {});
    setFault(outcome.ok ? undefined : outcome.why);
    look();
  };
  return (
    <>
      <Panel title="Request a recording" area="request" aside="The robot uploads it before everything else">
        {mayAct ? (
          <RequestForm key={JSON.stringify(wanted)} wanted={wanted} onRequested={look} />
        ) : (
          <p class="empty">This token may look, but not request.</p>
        )}
      </Panel>
      <Panel
        title="Requests"
        area="requests"
        aside={
          <label class="check">
            <input
              type="checkbox"
              checked={isOpen}
              onInput={(event) => setOpen(event.currentTarget.checked)}
            />{' '}
            Only open ones
          </label>
        }
      >
        <Trouble what="No answer" why={why} />
        <Trouble what="Not withdrawn" why={fault} />
        <List requests={requests} isOpen={isOpen} onWithdraw={mayAct ? setAsked : undefined} />
      </Panel>
      {asked === undefined ? null : (
        <Dialog
          title={`${asked.robot}: Withdraw the request?`}
          onClose={() => setAsked(undefined)}
          onSubmit={() => void withdraw(asked)}
        >
          <p>The robot stops sending for it. What is in the store stays there.</p>
          <div class="dialog-buttons">
            <button type="button" class="button" onClick={() => setAsked(undefined)}>
              Keep it
            </button>
            <button type="submit" class="button primary" autofocus>
              Withdraw
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

function Trouble({ what, why }: { readonly what: string; readonly why: string | undefined }) {
  if (why === undefined) return null;
  return (
    <p class="missing" role="alert">
      <strong>{what}:</strong> {why}.
    </p>
  );
}

function List(props: {
  readonly requests: readonly FetchView[] | undefined;
  readonly isOpen: boolean;
  readonly onWithdraw: ((request: FetchView) => void) | undefined;
}) {
  const { requests, isOpen, onWithdraw } = props;
  const rows = useStore(fleet);
  if (requests === undefined) return <p class="empty">Waiting for the ground…</p>;
  if (requests.length === 0)
    return <p class="empty">{isOpen ? 'No request is open.' : 'Nothing was requested yet.'}</p>;
  const connected = new Set((rows ?? []).filter((row) => row.connected).map(({ robot }) => robot));
  return (
    <ul class="requests" role="list">
      {requests.map((one) => (
        <Request key={one.id} one={one} isConnected={connected.has(one.robot)} onWithdraw={onWithdraw} />
      ))}
    </ul>
  );
}

function Request(props: {
  readonly one: FetchView;
  readonly isConnected: boolean;
  readonly onWithdraw: ((request: FetchView) => void) | undefined;
}) {
  const { one, isConnected, onWithdraw } = props;
  const { robot, from, to, topics, by, via, createdAtMs, matched, sentBytes, reason, endedAtMs } = one;
  const { word, tone, line } = wordsFor(one, isConnected);
  const [begin, end] = [msOf(from), msOf(to)];
  const share = matched.bytes === 0 ? 0 : sentBytes / matched.bytes;
  return (
    <li class={`request request-${tone}`} data-request={one.id} data-state={one.state}>
      <div class="request-what">
        <h3>
          <a href={addressOf(robot)}>{robot}</a>
        </h3>
        <p>
          {timeOfDay(begin)} to {timeOfDay(end)} <span class="dim">({duration(end - begin)})</span>
        </p>
        <p class="dim">{topics.length === 0 ? 'All topics' : `Segments with ${topics.join(', ')}`}</p>
      </div>
      <div class="request-how">
        <p class={`request-state tone-${tone}`}>
          <Icon name={toneIcons[tone]} />
          <b>{word}</b>
        </p>
        {matched.bytes > 0 ? (
          <Meter
            value={share}
            label={`Sent of the request to ${robot}`}
            text={line}
            tone={tone === 'info' ? 'info' : 'plain'}
          />
        ) : null}
        <p>{line}</p>
        {reason === '' ? null : <p class={tone === 'bad' ? 'tone-bad' : 'dim'}>{sentence(reason)}</p>}
        <Details one={one} />
      </div>
      <div class="request-who">
        <p class="dim">
          {by === '' ? 'Requested' : `By ${by}`} at {timeOfDay(createdAtMs)}
          {via === 'store' ? ', through the store' : ''}
        </p>
        {endedAtMs !== null ? (
          <p class="dim">Ended at {timeOfDay(endedAtMs)}</p>
        ) : onWithdraw === undefined ? null : (
          <button
            type="button"
            class="button"
            aria-label={`Withdraw the request to ${robot}`}
            onClick={() => onWithdraw(one)}
          >
            Withdraw
          </button>
        )}
      </div>
    </li>
  );
}

/** What is gone and what the store refuses, each with its reason. */
function Details({ one }: { readonly one: FetchView }) {
  const parked = one.segments.filter(({ state }) => state === 'parked');
  if (one.gone.length + parked.length === 0) return null;
  const more = one.goneSegments - one.gone.length;
  return (
    <details class="request-details">
      <summary>
        {[
          ...(one.goneSegments > 0 ? [`${counted(one.goneSegments, 'segment')} gone`] : []),
          ...(parked.length > 0 ? [`${counted(parked.length, 'segment')} refused by the store`] : []),
        ].join(', ')}
      </summary>
      <ul class="plain-list" role="list">
        {one.gone.map(({ name, messages, bytes: size, reason, at }) => (
          <li key={name}>
            <b>Segment {segmentName(name)}</b>, {counted(messages, 'message')}, {bytes(size)}: removed at{' '}
            {timeOfDay(msOf(at))}, {reasonInWords(reason)}
          </li>
        ))}
        {more > 0 ? <li class="dim">and {counted(more, 'more', 'more')}</li> : null}
        {parked.map(({ name, reason }) => (
          <li key={name}>
            <b>Segment {segmentName(name)}</b>: {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
