import { describeError, isHoldfastError } from '../../core/errors.js';
import type {
  AnswerOptions,
  EngineReply,
  EngineRequest,
  QueryEngine,
  ViewFiles,
  WriteText,
} from './query-engine.js';

/** Carries out one request of the other process. Never rejects. */
export async function serveRequest(
  engine: Promise<QueryEngine>,
  { id, call, args }: EngineRequest,
  write: WriteText,
): Promise<EngineReply> {
  let written = 0;
  const counted: WriteText = (text) => {
    written += text.byteLength;
    return write(text);
  };
  try {
    return { id, value: await carryOut(await engine, call, args, counted), written };
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : 'QUERY_FAILED';
    return { id, error: { code, message: describeError(error) } };
  }
}

async function carryOut(
  engine: QueryEngine,
  call: EngineRequest['call'],
  args: readonly unknown[],
  write: WriteText,
): Promise<unknown> {
  const [first, second] = args;
  switch (call) {
    case 'tableNames':
      return [...(await engine.tableNames(first as string, second as string[]))];
    case 'restrictTo':
      return engine.restrictTo(first as ViewFiles[]);
    case 'createView':
      return engine.createView(first as string, second as ViewFiles);
    case 'columnsOf':
      return engine.columnsOf(first as ViewFiles);
    case 'answer':
      return engine.answer(first as string, second as AnswerOptions, write);
  }
}
