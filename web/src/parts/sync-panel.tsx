import { secondTick, serverNow, status, syncSeenAtMs } from '../model/live.js';
import {
  bytes,
  coarse,
  count,
  counted,
  duration,
  msOf,
  segmentName,
  share,
  timeOfDay,
} from '../model/format.js';
import { useStore } from '../model/store.js';
import { ForecastFact, SendPolicyFacts } from './send-policy.js';
import { TransformFacts } from './transforms.js';
import { Fact, Facts, Meter, Panel } from '../ui/panel.js';
import type { SyncStatus } from '../wire.js';

/** The transfer between this disk and the store. */
export function SyncPanel() {
  const now = useStore(status);
  const seen = useStore(syncSeenAtMs);
  useStore(secondTick);
  if (now === undefined) return null;
  const { sync } = now;
  return (
    <Panel title="Sync" area="sync" aside={sync === null ? 'not running' : sync.link}>
      {sync === null ? (
        <div class="missing" data-lost="sync">
          <p>
            <strong>
              {seen === undefined
                ? 'The sync process is not running.'
                : `The sync process has not answered since ${timeOfDay(seen, now.atMs)} (${coarse(serverNow() - seen)}).`}
            </strong>
          </p>
          <p>
            Recording continues. Segments stay on this disk until sync runs again.
            {now.syncError === undefined ? '' : ` Reason: ${now.syncError}.`}
          </p>
        </div>
      ) : (
        <SyncFacts sync={sync} />
      )}
    </Panel>
  );
}

function SyncFacts({ sync }: { readonly sync: SyncStatus }) {
  const { segments, bytes: volume, current } = sync;
  const now = serverNow();
  const total = volume.pending + volume.verified;
  return (
    <>
      <CurrentUpload current={current} />
      <Facts>
        <Fact term="Link" tone={sync.link === 'online' ? 'ok' : sync.link === 'offline' ? 'warn' : undefined}>
          {sync.link} for {coarse(now - msOf(sync.linkSince))}
          {sync.nextRetryInMs === undefined ? '' : `, next try in ${coarse(sync.nextRetryInMs)}`}
        </Fact>
        <Fact term="Store">
          <span class="breakable">{sync.store}</span>
        </Fact>
        {sync.encryptedFor === undefined ? null : (
          <Fact term="Encrypted">for {counted(sync.encryptedFor.length, 'recipient')}</Fact>
        )}
        {sync.storeLatencyMs === undefined ? null : (
          <Fact term="Latency">{duration(sync.storeLatencyMs)} to the store</Fact>
        )}
        <Fact term="Last sync">
          {sync.lastSyncAt === undefined ? 'none yet' : `${coarse(now - msOf(sync.lastSyncAt))} ago`}
        </Fact>
        <Fact term="Queue">
          {segments.pending === 0
            ? 'empty'
            : `${counted(segments.pending, 'segment')}, ${bytes(volume.pending)}`}
        </Fact>
        {(segments.held ?? 0) === 0 ? null : (
          <Fact term="Kept here">
            {counted(segments.held ?? 0, 'segment')}, {bytes(volume.held ?? 0)}, by policy: uploads{' '}
            {sync.uploadPolicy === 'events' ? 'marked events only' : 'on request only'}
          </Fact>
        )}
        <TransformFacts sync={sync} />
        <SendPolicyFacts sync={sync} />
        <ForecastFact sync={sync} />
        {sync.oldestUnsyncedAt === undefined ? null : (
          <Fact term="Oldest unsynced">{coarse(now - msOf(sync.oldestUnsyncedAt))} old</Fact>
        )}
        <Fact term="Rate">
          {bytes(sync.transferBytesPerS)}/s
          {sync.etaMs === undefined ? '' : `, about ${coarse(sync.etaMs)} left`}
        </Fact>
        <Fact term="In the store">
          {counted(segments.verified, 'segment')}, {bytes(volume.verified)}
          {total > 0 ? ` (${share(volume.verified / total)})` : ''}
        </Fact>
        <Fact term="Continued, sent again">
          {counted(sync.resumedUploads, 'upload')}, {bytes(volume.resent)}
        </Fact>
        <Fact term="Errors" tone={sync.uploadErrors > 0 && sync.link !== 'online' ? 'warn' : undefined}>
          {count(sync.uploadErrors)}
        </Fact>
      </Facts>
      <SyncTrouble sync={sync} />
    </>
  );
}

function CurrentUpload({ current }: { readonly current: SyncStatus['current'] }) {
  if (current === undefined) return null;
  return (
    <div class="current">
      <p>
        Segment {segmentName(current.segment)} of {current.robot}, {bytes(current.bytes)}
        <b>{share(current.progress)}</b>
      </p>
      <Meter
        value={current.progress}
        label="Upload under way"
        text={`${share(current.progress)} of segment ${segmentName(current.segment)} sent`}
        tone="info"
      />
    </div>
  );
}

function SyncTrouble({ sync }: { readonly sync: SyncStatus }) {
  return (
    <>
      {sync.lastError === undefined ? null : (
        <p class="last-error">
          <span>Last error</span> {sync.lastError}
        </p>
      )}
      {sync.alarms.length === 0 ? null : (
        <ul class="parked" role="list" aria-label="Refused by the store for good">
          {sync.alarms.slice(0, 8).map((alarm) => (
            <li key={`${alarm.segment}${alarm.robot}${alarm.code}`}>
              <strong>
                {alarm.segment === '' ? 'Alarm' : `Segment ${segmentName(alarm.segment)} of ${alarm.robot}`}
              </strong>
              : {alarm.message} <code>{alarm.code}</code>
            </li>
          ))}
          {sync.alarms.length > 8 ? <li>and {sync.alarms.length - 8} more</li> : null}
        </ul>
      )}
    </>
  );
}
