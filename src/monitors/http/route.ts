import type { AccessRole, Identity } from './access.js';

/** The used part of JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The input of a route; body and query match their schemas. */
export interface RouteRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Parts of the path, by the names after `:` in it. */
  readonly params: Readonly<Record<string, string>>;
  /** Who asks. An open route does not know. */
  readonly who: Identity;
  /** Where the request came from. */
  readonly address: string;
  /** The header `Range`; absent: the whole. */
  readonly range?: string;
  /** The header `If-Range`: the range is wanted only of this version of the content. */
  readonly ifRange?: string;
}

/** The answer of a route, if it is not just JSON with 200. */
export class RouteReply {
  constructor(
    readonly status: number,
    readonly body: unknown,
    readonly contentType = 'application/json; charset=utf-8',
  ) {}
}

/** An answer that is sent as it is read; a client that leaves ends the reading. */
export class RouteStream {
  constructor(
    readonly status: number,
    readonly headers: Readonly<Record<string, string>>,
    readonly content: AsyncIterable<Uint8Array>,
  ) {}
}

/** One operation of the API: the server and its OpenAPI document are made from these. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** `/robots/:robot` has a part with a name. */
  readonly path: string;
  readonly summary: string;
  /** Every client that reaches the port may call it. */
  readonly open?: true;
  /** Pages of other sites may ask, too: the request itself proves what it may. */
  readonly crossOrigin?: true;
  /** `HEAD` is answered too, with the headers of `GET` and without its content. */
  readonly head?: true;
  readonly role: AccessRole;
  readonly body?: JsonSchema;
  readonly query?: JsonSchema;
  /** Content of a successful answer; `text/plain` if `answerType` says so. */
  readonly answer: JsonSchema;
  readonly answerType?: string;
  /** Further answers that are not errors, by status. */
  readonly also?: Readonly<Record<string, string>>;
  readonly handle: (request: RouteRequest) => unknown;
}
