/** The payload encodings that can be decoded. */
export type PayloadFormat = 'protobuf' | 'flatbuffers';

/** The facts in the name of a file of a descriptor folder. */
export interface DescriptorName {
  /** Its `event_type_key`. */
  readonly type: string;
  /** Empty: the file name has none. */
  readonly version: string;
  readonly format: PayloadFormat;
  /** A `.proto` source, or compiled. */
  readonly isSource: boolean;
}

/** The payload facts in an event's envelope. */
export interface PayloadClaim {
  readonly type: string;
  readonly version: string;
  readonly format: PayloadFormat;
}

export const DESCRIPTOR_NAME_FORM =
  'TYPE.EXT or TYPE@VERSION.EXT, with TYPE an event_type_key (other characters than A-Z a-z 0-9 _ . - as %XX) and EXT ' +
  'proto, binpb, protoset, desc or pb (a FileDescriptorSet), or bfbs';

const extensions: Readonly<Record<string, { readonly format: PayloadFormat; readonly isSource: boolean }>> = {
  proto: { format: 'protobuf', isSource: true },
  binpb: { format: 'protobuf', isSource: false },
  protoset: { format: 'protobuf', isSource: false },
  desc: { format: 'protobuf', isSource: false },
  pb: { format: 'protobuf', isSource: false },
  bfbs: { format: 'flatbuffers', isSource: false },
};

const hints: readonly (readonly [RegExp, PayloadFormat])[] = [
  [/^(application\/)?(x-|vnd\.google\.)?(protobuf|proto|proto3|pb)$/, 'protobuf'],
  [/^(application\/)?(x-)?(flatbuffers?|fb)$/, 'flatbuffers'],
];

/** Reads the name of a file; undefined: it is not a descriptor. */
export function parseDescriptorName(file: string): DescriptorName | undefined {
  const parts = /^([A-Za-z0-9_.%-]+?)(?:@([A-Za-z0-9_.-]+))?\.([a-z]+)$/.exec(file);
  const kind = extensions[parts?.[3] ?? ''];
  if (parts === null || kind === undefined) return undefined;
  try {
    return { type: decodeURIComponent(parts[1]!), version: plainVersion(parts[2] ?? ''), ...kind };
  } catch {
    return undefined;
  }
}

/**
 * The payload facts of an event. The format is the first word of `payload_format_hint` (`protobuf`,
 * `application/x-protobuf`, `flatbuffers`, ...). The version is the parameter `version` of the hint
 * (`protobuf;version=2`), or follows an `@` in the hint or in `event_type_key`. Undefined: the payload has
 * another format.
 */
export function claimOf(eventTypeKey: string, payloadFormatHint: string): PayloadClaim | undefined {
  const [head = '', ...parameters] = payloadFormatHint.split(';').map((part) => part.trim());
  const [word, behind] = splitVersion(head);
  const format = hints.find(([pattern]) => pattern.test(word.toLowerCase()))?.[1];
  if (format === undefined) return undefined;
  const said = parameters
    .map((part) => /^(?:version|v)\s*=\s*"?([^"]*)"?$/i.exec(part)?.[1])
    .find((one) => one !== undefined);
  const [type, own] = splitVersion(eventTypeKey);
  return { type, version: plainVersion(said ?? (behind === '' ? own : behind)), format };
}

function splitVersion(text: string): [string, string] {
  const at = text.lastIndexOf('@');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** `v2` is version `2`. */
function plainVersion(version: string): string {
  return version.trim().replace(/^v(?=\d)/i, '');
}
