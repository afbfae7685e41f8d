import { secondTick, serverNow, status } from '../model/live.js';
import { bytes, coarse, count, counted, duration, msOf, percent, reasonInWords } from '../model/format.js';
import { useStore } from '../model/store.js';
import { Fact, Facts, Meter, Panel } from '../ui/panel.js';
import type { Status } from '../wire.js';

const MB = 1e6;
/** Free share of the disk below which the bar changes colour. */
const DISK_WARN = 0.15;
const DISK_BAD = 0.05;

/** The totals and the state of the recorder. */
export function StoragePanel() {
  const now = useStore(status);
  if (now === undefined) return null;
  const { wal, sealed, disk, queue, totals, commits } = now.recorder;
  const reasons = Object.entries(totals.droppedByReason).filter(([, lost]) => lost > 0);
  return (
    <Panel title="On this disk" area="storage" aside={now.recorder.dataFolder}>
      <Gauge
        name="Open segment (WAL)"
        value={wal.openBytes / wal.segmentMaxBytes}
        text={`${bytes(wal.openBytes)} of ${bytes(wal.segmentMaxBytes)}, ${coarse(wal.segmentAgeMs)} old`}
      />
      <Gauge
        name="Queue in memory"
        value={queue.bytes / queue.maxBytes}
        text={`${bytes(queue.bytes)} of ${bytes(queue.maxBytes)}`}
        tone={toneAbove(queue.bytes / queue.maxBytes, 0.5, 0.9)}
      />
      <DiskGauge disk={disk} toFullMs={now.diskTimeToFullMs} />
      <Facts>
        <Fact term="Durable">
          {counted(totals.durable, 'message')}, {bytes(totals.durableBytes)}
        </Fact>
        <Fact term="Dropped" tone={totals.dropped > 0 ? 'warn' : undefined}>
          {totals.dropped === 0
            ? 'none'
            : `${count(totals.dropped)}: ${reasons
                .map(([reason, lost]) => `${reasonInWords(reason)} ${count(lost)}`)
                .join(', ')}`}
        </Fact>
        {totals.decimated > 0 ? (
          <Fact term="Left out">{counted(totals.decimated, 'message')} by rules (max_hz, every)</Fact>
        ) : null}
        <TagsFact tags={now.recorder.tags ?? {}} />
        <Fact term="Sealed">
          {counted(sealed.segments, 'segment')}, {bytes(sealed.bytes)}
          {wal.waiting > 0 ? `; ${count(wal.waiting)} wait to be sealed` : ''}
          {now.recorder.encryptedFor === undefined
            ? ''
            : `; encrypted for ${counted(now.recorder.encryptedFor.length, 'recipient')}`}
        </Fact>
        <BeforeSealingFact recorder={now.recorder} />
        {disk.evictedSegments > 0 ? (
          <Fact term="Evicted">{counted(disk.evictedSegments, 'segment')}</Fact>
        ) : null}
        <Fact term="Commits" tone={commits.failed > 0 ? 'bad' : undefined}>
          {count(commits.count)}, p50 {duration(commits.p50Ms)}, p99 {duration(commits.p99Ms)}
          {commits.failed > 0 ? `; ${count(commits.failed)} failed` : ''}
        </Fact>
      </Facts>
    </Panel>
  );
}

/** Nothing if the recorder does not encrypt at all. */
function BeforeSealingFact({ recorder }: Pick<Status, 'recorder'>) {
  const { encryptedFor, atRestKeyName } = recorder;
  if (atRestKeyName === undefined && encryptedFor === undefined) return null;
  return (
    <Fact term="Before sealing">
      {atRestKeyName === undefined ? 'not encrypted' : `encrypted with ${atRestKeyName}`}
    </Fact>
  );
}

function TagsFact({ tags }: { readonly tags: Readonly<Record<string, string>> }) {
  const all = Object.entries(tags);
  if (all.length === 0) return null;
  return <Fact term="Tags">{all.map(([name, value]) => `${name}=${value}`).join(', ')}</Fact>;
}

function DiskGauge({
  disk,
  toFullMs,
}: {
  readonly disk: Status['recorder']['disk'];
  readonly toFullMs: number | null;
}) {
  const free = disk.totalBytes > 0 ? disk.freeBytes / disk.totalBytes : 1;
  const until = toFullMs === null ? 'not filling up' : `full in about ${coarse(toFullMs)}`;
  return (
    <Gauge
      name="Disk"
      value={1 - free}
      text={`${bytes(disk.freeBytes)} free of ${bytes(disk.totalBytes)}, ${until}`}
      tone={free < DISK_BAD ? 'bad' : free < DISK_WARN ? 'warn' : 'plain'}
    />
  );
}

/** The machine, the process, its log and its ports. */
export function SystemPanel() {
  const now = useStore(status);
  useStore(secondTick);
  if (now === undefined) return null;
  const { system, log, recorder, services } = now;
  const used = system.hostMemoryTotalMb - system.hostMemoryFreeMb;
  return (
    <Panel title="System" area="system" aside={now.host}>
      <Gauge
        name="CPU of the recorder"
        value={system.cpuPercent / 100}
        text={`${percent(system.cpuPercent)} of a core; load ${system.loadAverage1m.toFixed(2)} on ${counted(system.cores, 'core')}`}
        tone={toneAbove(system.cpuPercent / 100, 0.7, 0.95)}
      />
      <Gauge
        name="Memory of the machine"
        value={used / system.hostMemoryTotalMb}
        text={`${bytes(used * MB)} of ${bytes(system.hostMemoryTotalMb * MB)}; recorder ${bytes(system.memoryMb * MB)}`}
        tone={toneAbove(used / system.hostMemoryTotalMb, 0.85, 0.95)}
      />
      <Facts>
        <Fact term="Latency to the store">
          {now.sync?.storeLatencyMs === undefined ? 'not measured yet' : duration(now.sync.storeLatencyMs)}
        </Fact>
        <Fact term="Recorder">
          process {recorder.pid}, {recorder.version}, since {coarse(serverNow() - msOf(recorder.startedAt))}
        </Fact>
        {recorder.sources.map(({ uri, state, detail, stats }) => (
          <Fact key={uri} term="Source" tone={toneOfSource(state, stats?.silentTopics ?? 0)}>
            <span class="breakable">{uri}</span> {state}
            {detail === undefined ? '' : ` (${detail})`}
            {stats?.silentTopics ? `; ${counted(stats.silentTopics, 'silent topic')}` : ''}
          </Fact>
        ))}
        <Fact term="Log" tone={log.lastError !== undefined || log.droppedLines > 0 ? 'warn' : undefined}>
          {log.level}, {log.file === undefined ? 'no file' : bytes(log.fileBytes)}
          {log.droppedLines > 0 ? `; ${counted(log.droppedLines, 'line')} dropped` : ''}
          {log.lastError === undefined ? '' : `; ${log.lastError}`}
        </Fact>
        {typeof services['clients'] === 'number' ? (
          <Fact term="Pages open">{services['clients']}</Fact>
        ) : null}
      </Facts>
    </Panel>
  );
}

function toneOfSource(state: string, silentTopics: number): 'bad' | 'warn' | undefined {
  if (state === 'failed' || state === 'lost') return 'bad';
  return silentTopics > 0 ? 'warn' : undefined;
}

function Gauge({
  name,
  value,
  text,
  tone = 'plain',
}: {
  readonly name: string;
  readonly value: number;
  readonly text: string;
  readonly tone?: 'plain' | 'warn' | 'bad';
}) {
  return (
    <div class="gauge">
      <p>
        <span>{name}</span> <span class="gauge-text">{text}</span>
      </p>
      <Meter value={value} label={name} text={text} tone={tone} />
    </div>
  );
}

function toneAbove(value: number, warn: number, bad: number): 'plain' | 'warn' | 'bad' {
  return value >= bad ? 'bad' : value >= warn ? 'warn' : 'plain';
}
