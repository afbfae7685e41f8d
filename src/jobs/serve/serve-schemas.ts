import { plainPage } from '../../monitors/http/plain-page.js';
import type { ApiInfo } from '../../monitors/http/openapi.js';
import { apiSchemas, flag, list, number, object, said, text, whole } from '../../monitors/http/schemas.js';

const timeNs = {
  type: 'string',
  pattern: '^[0-9]+$',
  description: 'decimal nanoseconds since the Unix epoch',
};
const timeOrNull = { anyOf: [timeNs, { type: 'null' }] };
const problem = object({ where: said(text, 'path or key'), reason: text });

/** A robot of the recording. */
export const robotSchema = object({
  robot: said(text, 'empty: recordings of other tools'),
  ...{ segments: whole, messages: whole, bytes: whole },
  ...{ firstLogTime: timeOrNull, lastLogTime: timeOrNull },
});

/** A line of `holdfast ls`. */
export const segmentSchema = object(
  {
    ...{ segment: text, state: text, where: said(text, 'path or key'), robot: text },
    ...{ firstLogTime: timeNs, lastLogTime: timeNs },
    ...{ messages: whole, channels: whole, bytes: whole, gaps: whole },
    ...{ uncleanEnd: flag, encrypted: flag },
    tags: { type: 'object', additionalProperties: text },
    stores: said(list(text), 'stores that hold it, by URI'),
  },
  [
    ...['robot', 'firstLogTime', 'lastLogTime', 'messages', 'channels', 'gaps'],
    ...['uncleanEnd', 'encrypted', 'tags', 'stores'],
  ],
);

/** The merged file of a window. */
export const windowSchema = object({
  ...{ messages: whole, bytes: said(number, 'size of the file'), gaps: whole },
  ...{ firstLogTime: timeOrNull, lastLogTime: timeOrNull },
  topics: list(object({ topic: text, type: text, messages: whole })),
  problems: said(list(problem), 'parts that could not be read'),
  sameAs: said(text, 'files with the same value have the same bytes; also the ETag of the file'),
  path: said(text, 'of the file, relative to the address of the server; needs the token, if there is one'),
  link: said(text, 'the same without a token, also for pages of other sites'),
  until: said(text, 'when the link ends, ISO 8601'),
});

/** What the server says about itself. */
export const serveApi: ApiInfo = {
  path: '/api/openapi.json',
  title: 'Holdfast, a recording over HTTP',
  description:
    'Robots and segments of a recording, and the merged MCAP file of a window of it; see docs/serve.md.',
  plainPage: plainPage('This server answers for one recording.', {
    'Its robots': 'api/robots',
    'Its segments': 'api/segments',
    'The API as an OpenAPI document': 'api/openapi.json',
  }),
  schemas: { Error: apiSchemas['Error'] ?? {} },
};
