import { connect } from 'node:net';
import { HoldfastError, systemCode } from '../../core/errors.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { errorCatalogue } from '../../core/error-catalogue.js';
import { ANSWER_MAX_BYTES, type ControlAnswer, type ControlRole } from '../../recorder/control-protocol.js';
import { type ControlRequest } from '../../recorder/control-requests.js';
import { LineReader } from './line-reader.js';
import { socketFault, socketPaths } from './socket-path.js';

const ANSWER_TIMEOUT_MS = 5_000;
/** Codes that mean that no process listens: no file, or one that a killed process left behind. */
const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'EACCES']);

/**
 * Sends a request to the process of a role on a data folder. Throws `ROLE_NOT_RUNNING` if none listens or
 * answers in time, and the role's own error if it refused. It never uses a socket that another user of the
 * machine could have made; the error says so.
 *
 * @param options.timeoutMs - Longest wait for the answer. Default 5,000; `stop` may take longer.
 * @param options.args - The arguments of the request, see `control-arguments.ts`.
 */
export async function askRole(
  dataRoot: string,
  role: ControlRole,
  request: ControlRequest,
  options: { readonly timeoutMs?: number; readonly args?: Readonly<Record<string, unknown>> } = {},
): Promise<unknown> {
  const faults: string[] = [];
  for (const path of await socketPaths(dataRoot, role)) {
    const fault = await socketFault(path);
    if (fault !== undefined) {
      if (fault !== 'absent') faults.push(fault);
      continue;
    }
    let answer: ControlAnswer;
    try {
      answer = await exchange(path, { request, args: options.args }, options.timeoutMs ?? ANSWER_TIMEOUT_MS);
    } catch (cause) {
      if (NOBODY.has(systemCode(cause) ?? '')) continue;
      throw notRunning(dataRoot, role, 'does not answer', { cause });
    }
    if (answer.ok) return answer.result;
    const { code, message } = answer.error;
    const known: ErrorCode = Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'INTERNAL';
    throw new HoldfastError(known, `${role}: ${message}`, { facts: { role, request } });
  }
  const distrust = faults.length === 0 ? undefined : faults.join('; ');
  const aside = distrust === undefined ? '' : ` (not asked: ${distrust})`;
  throw notRunning(dataRoot, role, `is not running${aside}`, { distrust });
}

function notRunning(
  dataRoot: string,
  role: ControlRole,
  what: string,
  { cause, distrust }: { readonly cause?: unknown; readonly distrust?: string | undefined } = {},
): HoldfastError {
  return new HoldfastError('ROLE_NOT_RUNNING', `the ${role} of data folder ${dataRoot} ${what}`, {
    cause,
    facts: { role, data: dataRoot, distrust },
  });
}

function exchange(path: string, request: object, timeoutMs: number): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const lines = new LineReader(ANSWER_MAX_BYTES);
    const socket = connect(path, () => socket.write(`${JSON.stringify({ id: 1, ...request })}\n`));
    const timer = setTimeout(() => socket.destroy(new Error(`no answer for ${timeoutMs} ms`)), timeoutMs);
    socket.on('data', (chunk: Buffer) => {
      const complete = lines.push(chunk);
      if (complete === undefined) socket.destroy(new Error('the answer is too long'));
      const line = complete?.[0];
      if (line === undefined) return;
      try {
        resolve(JSON.parse(line) as ControlAnswer);
        socket.destroy();
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection was closed without an answer'));
    });
  });
}
