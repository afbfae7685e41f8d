import type { JsonSchema, Route } from './route.js';
import { ref } from './schemas.js';

const errors: Readonly<Record<string, string>> = {
  '400': 'body or query do not fit',
  '401': 'no token, or a wrong one',
  '403': 'the token is a viewer’s, or Host or Origin are not ours',
  '409': 'the recorder’s phase does not allow it; the message says why',
  '413': 'the body is too large',
  '429': 'too many wrong tokens from this address; Retry-After says when to come back',
  '501': 'not available in this process',
  '503': 'the process concerned is not running',
};

/** What a server says about itself beside its routes. */
export interface ApiInfo {
  /** Path of the document. */
  readonly path: string;
  /** HTML for `/` if the pages are not part of the build. */
  readonly plainPage: string;
  readonly title: string;
  readonly description: string;
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

/** The API as an OpenAPI 3.1 document, made from the same table as the server. */
export function openApiDocument(routes: readonly Route[], version: string, api: ApiInfo): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes)
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: api.title,
      version,
      description: api.description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: api.schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: Route): JsonSchema {
  const relevant = Object.entries(errors).filter(
    ([status]) => route.role !== 'viewer' || (status !== '409' && status !== '413' && status !== '501'),
  );
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/[^a-z]+(.)/g, (_, first: string) => first.toUpperCase())}`,
    summary: route.summary,
    'x-role': route.open ? 'anyone' : route.role,
    security: route.open ? [] : [{ token: [] }],
    ...parameters(route),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body } } } }),
    responses: {
      '200': {
        description: 'done',
        content: { [route.answerType ?? 'application/json']: { schema: route.answer } },
      },
      ...Object.fromEntries(
        Object.entries(route.also ?? {}).map(([status, description]) => [status, { description }]),
      ),
      ...Object.fromEntries(
        relevant
          .filter(([status]) => route.also?.[status] === undefined)
          .map(([status, description]) => [
            status,
            { description, content: { 'application/json': { schema: ref('Error') } } },
          ]),
      ),
    },
  };
}

function parameters({ path, query }: Route): { readonly parameters?: readonly unknown[] } {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
  }));
  const properties = (query?.['properties'] ?? {}) as Record<string, JsonSchema>;
  const inQuery = Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: 'query', required: false, schema },
  }));
  const all = [...inPath, ...inQuery];
  return all.length === 0 ? {} : { parameters: all };
}

/** `/robots/:robot` in the form of OpenAPI: `/robots/{robot}`. */
function templateOf(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}
