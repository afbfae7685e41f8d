import { gapToJson, gapFromJson, type GapJson } from '../../core/gap.js';
import type { Manifest } from '../../core/manifest.js';
import type { Findings } from './findings.js';
import { channelName, type ObjectSurvey } from './survey-object.js';

/** Whether an MCAP is whole and says the truth about itself. */
export function checkMcap(where: string, survey: ObjectSurvey, findings: Findings, ownFormat: boolean): void {
  const { scan, index, dataCrc, chunks, perId } = survey;
  for (const { from, to, reason } of scan.ranges) {
    findings.add('error', where, `bytes ${from} to ${to}`, 'readable', reason);
  }
  if (scan.messagesUndefined > 0) {
    findings.add('error', where, 'messages without a channel', 0, scan.messagesUndefined);
  }
  if (!scan.complete) findings.add('error', where, 'end of the file', 'a footer', 'none');
  if (ownFormat && scan.messagesUnchecked > 0) {
    findings.add('error', where, 'messages in chunks without a CRC', 0, scan.messagesUnchecked);
  }
  if (typeof index === 'string') {
    findings.add(scan.complete ? 'error' : 'warning', where, 'index', 'usable', index);
    return;
  }
  if (dataCrc !== undefined) findings.same(where, 'CRC of the data section', dataCrc.stated, dataCrc.actual);
  if (ownFormat && dataCrc === undefined)
    findings.add('error', where, 'CRC of the data section', 'one', 'none');
  if (ownFormat && index.footer.summaryCrc === 0) {
    findings.add('error', where, 'CRC of the summary', 'one', 'none');
  }
  for (const { chunkStartOffset, chunkLength } of index.chunkIndexes) {
    const at = Number(chunkStartOffset);
    findings.same(where, `length of the chunk at ${at}`, chunkLength, chunks.get(at)?.length);
  }
  if (index.chunkIndexes.length !== chunks.size) {
    findings.add('error', where, 'chunks in the index', chunks.size, index.chunkIndexes.length);
  }
  for (const [at, { timesAgree }] of chunks) {
    if (!timesAgree)
      findings.add('error', where, `log times of the chunk at ${at}`, 'those of its head', 'others');
  }
  const { statistics } = index;
  if (statistics === undefined) return;
  findings.same(where, 'messages in the statistics', scan.messages, statistics.messageCount);
  for (const id of new Set([...perId.keys(), ...statistics.channelMessageCounts.keys()])) {
    const stated = statistics.channelMessageCounts.get(id) ?? 0n;
    findings.same(where, `messages of channel ${id} in the statistics`, perId.get(id) ?? 0, stated);
  }
}

/** Whether an MCAP is what its manifest says. */
export function checkManifest(
  where: string,
  survey: ObjectSurvey,
  manifest: Manifest,
  findings: Findings,
): void {
  const { file } = manifest;
  findings.same(where, 'size', file.bytes, survey.bytes);
  findings.same(where, 'sha256', file.sha256, survey.sha256);
  findings.same(where, 'crc32', file.crc32, survey.crc32);
  checkChannels(where, survey, manifest, findings);
  checkGaps(where, survey, manifest, findings);
  checkIdentity(where, survey, manifest, findings);
  const { firstSequence, lastSequence, messages } = manifest;
  if (
    (firstSequence === undefined) !== (messages === 0) ||
    (lastSequence === undefined) !== (messages === 0)
  ) {
    const actual = `${firstSequence} to ${lastSequence}`;
    findings.add('error', where, 'WAL sequences', messages === 0 ? 'none' : 'a range', actual);
  } else if (firstSequence !== undefined && lastSequence !== undefined) {
    const room = lastSequence - firstSequence + 1;
    if (room < messages) findings.add('error', where, 'WAL sequences', `room for ${messages} messages`, room);
  }
}

function checkChannels(where: string, survey: ObjectSurvey, manifest: Manifest, findings: Findings): void {
  const stated = new Map(
    manifest.channels.map((channel) => [
      channelName(channel.topic, channel.type, channel.encoding, channel.schemaEncoding),
      channel,
    ]),
  );
  if (stated.size !== manifest.channels.length) {
    findings.add('error', where, 'channels in the manifest', 'each once', 'one several times');
  }
  for (const key of new Set([...stated.keys(), ...survey.channels.keys()])) {
    const [expected, actual] = [stated.get(key), survey.channels.get(key)];
    const topic = expected?.topic ?? actual?.channel.topic ?? '';
    findings.same(where, `messages of ${topic}`, expected?.count ?? 0, actual?.count ?? 0);
    findings.same(where, `payload bytes of ${topic}`, expected?.bytes ?? 0, actual?.bytes ?? 0);
    findings.same(where, `carried messages of ${topic}`, expected?.carried ?? 0, actual?.carried ?? 0);
    findings.same(where, `first log time of ${topic}`, expected?.firstLogTime, actual?.firstLogTime);
    findings.same(where, `last log time of ${topic}`, expected?.lastLogTime, actual?.lastLogTime);
    if ((actual?.carried ?? 0) > 0 && expected?.latched === false) {
      findings.add('error', where, `carried messages of ${topic}`, 'only on latched channels', 'not latched');
    }
  }
  const all = [...survey.channels.values()];
  const sum = (pick: (one: (typeof all)[number]) => number): number =>
    all.reduce((n, one) => n + pick(one), 0);
  findings.same(
    where,
    'messages',
    manifest.messages,
    sum(({ count }) => count),
  );
  findings.same(
    where,
    'payload bytes',
    manifest.payloadBytes,
    sum(({ bytes }) => bytes),
  );
  const times = all.flatMap(({ firstLogTime, lastLogTime }) =>
    firstLogTime === undefined || lastLogTime === undefined ? [] : [firstLogTime, lastLogTime],
  );
  const least = times.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
  const most = times.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
  findings.same(where, 'first log time', manifest.firstLogTime, least);
  findings.same(where, 'last log time', manifest.lastLogTime, most);
}

function checkGaps(where: string, survey: ObjectSurvey, manifest: Manifest, findings: Findings): void {
  const inside = new Map<string, string>();
  for (const { name, metadata } of survey.metadata) {
    if (name !== 'holdfast_gap') continue;
    const json = normalGap(metadata['json'] ?? '');
    if (json === undefined) {
      findings.add('error', where, 'gap in the MCAP', 'JSON', String(metadata['json']).slice(0, 80));
      continue;
    }
    inside.set(json.id, json.text);
  }
  const stated = new Map<string, string>();
  for (const gap of manifest.gaps) {
    const json = normalGap(JSON.stringify(gap));
    if (json !== undefined) stated.set(json.id, json.text);
  }
  for (const id of new Set([...stated.keys(), ...inside.keys()])) {
    findings.same(where, `gap ${id}`, stated.get(id), inside.get(id));
  }
}

/** A gap's JSON with its fields in one order. */
function normalGap(text: string): { readonly id: string; readonly text: string } | undefined {
  try {
    const json = gapToJson(gapFromJson(JSON.parse(text) as GapJson));
    const fields = Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1));
    return { id: String(json.id), text: JSON.stringify(Object.fromEntries(fields)) };
  } catch {
    return undefined;
  }
}

function checkIdentity(where: string, survey: ObjectSurvey, manifest: Manifest, findings: Findings): void {
  const records = survey.metadata.filter(({ name }) => name === 'holdfast');
  if (records.length === 0) {
    findings.add('error', where, 'metadata record holdfast', 'one', 'none');
    return;
  }
  const stated: Record<string, string> = Object.assign({}, ...records.map(({ metadata }) => metadata));
  const { segment, identity } = manifest;
  const ids = [segment.id, segment.salvagedFrom];
  if (!ids.includes(stated['segment'])) {
    findings.add('error', where, 'segment in the MCAP', segment.id, stated['segment']);
  }
  const expected: Readonly<Record<string, unknown>> = {
    robot: manifest.robot,
    machine_id: identity.machineId,
    boot_id: identity.bootId,
    session_id: identity.sessionId,
    data_folder_id: identity.dataFolderId,
    first_sequence: manifest.firstSequence,
    last_sequence: manifest.lastSequence,
    messages: manifest.messages,
  };
  for (const [key, value] of Object.entries(expected)) {
    if (stated[key] !== undefined) findings.same(where, `${key} in the MCAP`, value ?? '', stated[key]);
  }
}
