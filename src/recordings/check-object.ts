import { gapDocuments, gapToJson, gapFromJson } from '../core/gap.js';
import type { Manifest, ManifestChannel } from '../core/manifest.js';
import type { Findings } from './findings.js';
import type { Summary } from '../core/mcap/summary.js';
import { channelName, type ObjectSurvey } from './survey-object.js';

/** Whether an MCAP is complete and consistent with itself. */
export function checkMcap(where: string, survey: ObjectSurvey, findings: Findings, ownFormat: boolean): void {
  const { scan, summary, noIndex, dataCrc, chunks } = survey;
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
  for (const [at, { timesAgree }] of chunks) {
    // No message is wrong or missing, but readers that search by the times in the heads skip them.
    const severity = ownFormat ? 'error' : 'warning';
    if (!timesAgree) {
      findings.add(severity, where, `log times of the chunk at ${at}`, 'those of its head', 'others');
    }
  }
  if (noIndex !== undefined) {
    // The format allows files without an index, and every message was read. Holdfast's own files have one.
    const isWrong = scan.complete && (ownFormat || noIndex.state === 'damaged');
    findings.add(isWrong ? 'error' : 'warning', where, 'index', 'usable', noIndex.reason);
  }
  if (summary === undefined) return;
  if (dataCrc !== undefined) findings.same(where, 'CRC of the data section', dataCrc.stated, dataCrc.actual);
  if (ownFormat && dataCrc === undefined)
    findings.add('error', where, 'CRC of the data section', 'one', 'none');
  if (ownFormat && summary.footer.summaryCrc === 0) {
    findings.add('error', where, 'CRC of the summary', 'one', 'none');
  }
  checkChunks(where, survey, summary, findings, ownFormat);
  checkStatistics(where, survey, summary, findings);
}

/**
 * Whether the messages have the length that their definition gives them. A sealed file has what its source
 * sent, so a misfit is a warning. A copy may have given the messages another definition than they had.
 */
export function checkFit(where: string, survey: ObjectSurvey, findings: Findings, isSealed: boolean): void {
  for (const { channel, misfits, misfit } of survey.channels.values()) {
    if (misfits === 0) continue;
    const what = `messages of ${channel.topic} that do not fit their definition`;
    findings.add(isSealed ? 'warning' : 'error', where, what, 0, `${misfits} (${misfit})`);
  }
}

function checkChunks(
  where: string,
  { chunks }: ObjectSurvey,
  { chunkIndexes }: Summary,
  findings: Findings,
  ownFormat: boolean,
): void {
  for (const { chunkStartOffset, chunkLength } of chunkIndexes) {
    const at = Number(chunkStartOffset);
    findings.same(where, `length of the chunk at ${at}`, chunkLength, chunks.get(at)?.length);
  }
  const isIndexed = ownFormat || chunkIndexes.length > 0;
  if (isIndexed && chunkIndexes.length !== chunks.size) {
    findings.add('error', where, 'chunks in the index', chunks.size, chunkIndexes.length);
  }
}

function checkStatistics(
  where: string,
  { scan, perId }: ObjectSurvey,
  { statistics }: Summary,
  findings: Findings,
): void {
  if (statistics === undefined) return;
  findings.same(where, 'messages in the statistics', scan.messages, statistics.messageCount);
  for (const id of new Set([...perId.keys(), ...statistics.channelMessageCounts.keys()])) {
    const stated = statistics.channelMessageCounts.get(id) ?? 0n;
    findings.same(where, `messages of channel ${id} in the statistics`, perId.get(id) ?? 0, stated);
  }
}

/** Whether an MCAP matches its manifest. */
export function checkManifest(
  where: string,
  survey: ObjectSurvey,
  manifest: Manifest,
  findings: Findings,
): void {
  const { file } = manifest;
  findings.same(where, 'size', file.bytes, survey.bytes);
  if (file.sha256 !== undefined) findings.same(where, 'sha256', file.sha256, survey.sha256);
  // Of an encrypted object, the manifest has the CRC-32 of the ciphertext, which was compared before.
  if (manifest.encryption === undefined) findings.same(where, 'crc32', file.crc32, survey.crc32);
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
  const stated = statedChannels(manifest);
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

/**
 * The manifest's entries by topic, type and encoding. A topic whose definition (or numbering) changed within
 * the segment has several entries; in an MCAP, without the bytes of the definitions, they look alike.
 */
function statedChannels({ channels }: Manifest): Map<string, ManifestChannel> {
  const stated = new Map<string, ManifestChannel>();
  for (const channel of channels) {
    const key = channelName(channel.topic, channel.type, channel.encoding, channel.schemaEncoding);
    const known = stated.get(key);
    stated.set(key, known === undefined ? channel : together(known, channel));
  }
  return stated;
}

function together(a: ManifestChannel, b: ManifestChannel): ManifestChannel {
  const firsts = [a.firstLogTime, b.firstLogTime].filter((time) => time !== undefined).map(BigInt);
  const lasts = [a.lastLogTime, b.lastLogTime].filter((time) => time !== undefined).map(BigInt);
  return {
    ...a,
    latched: a.latched || b.latched,
    count: a.count + b.count,
    bytes: a.bytes + b.bytes,
    carried: a.carried + b.carried,
    ...(firsts.length === 0 ? {} : { firstLogTime: String(firsts.reduce((x, y) => (x < y ? x : y))) }),
    ...(lasts.length === 0 ? {} : { lastLogTime: String(lasts.reduce((x, y) => (x > y ? x : y))) }),
  };
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

/** A gap's JSON with its fields in a fixed order. */
function normalGap(text: string): { readonly id: string; readonly text: string } | undefined {
  try {
    const json = gapToJson(gapFromJson(gapDocuments.parse(text, 'in the MCAP')));
    const fields = Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1));
    return { id: json.id, text: JSON.stringify(Object.fromEntries(fields)) };
  } catch {
    return undefined;
  }
}

function checkIdentity(where: string, survey: ObjectSurvey, manifest: Manifest, findings: Findings): void {
  const stated = identityIn(survey);
  if (Object.keys(stated).length === 0) {
    findings.add('error', where, 'metadata record holdfast', 'one', 'none');
    return;
  }
  const { segment, identity } = manifest;
  const ids = [segment.id, segment.salvagedFrom];
  if (!ids.includes(stated['segment'])) {
    findings.add('error', where, 'segment in the MCAP', segment.id, stated['segment']);
  }
  const expected: Readonly<Record<string, unknown>> = {
    robot: manifest.robot,
    vin: manifest.vin,
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

/** The recorder of an MCAP, from its own metadata; empty without metadata. */
export function identityIn({ metadata }: ObjectSurvey): Readonly<Record<string, string>> {
  const records = metadata.filter(({ name }) => name === 'holdfast');
  return Object.assign({}, ...records.map((record) => record.metadata)) as Record<string, string>;
}
