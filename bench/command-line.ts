import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What a command line that measures nothing is answered: the usage (exit code 0), or its mistake (2). */
export interface Answer {
  readonly exitCode: 0 | 2;
  readonly text: string;
}

export function mistake(text: string): Answer {
  return { exitCode: 2, text };
}

export function isAnswer(options: object): options is Answer {
  return 'exitCode' in options;
}

/** Prints the answer, help to standard output and a mistake to standard error, and ends the process. */
export function endWith({ exitCode, text }: Answer): never {
  if (exitCode === 0) console.log(text);
  else console.error(text);
  process.exit(exitCode);
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** What Node.js reads of a command line with these options. */
type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; allowPositionals: boolean; options: O }>
>;

/** Reads a command line. `--help` (or `-h`) is answered with `usage`, and an unknown option with the allowed ones. */
export function parseCommandLine<O extends Options>(
  args: readonly string[],
  { usage, options, allowPositionals = false }: { usage: string; options: O; allowPositionals?: boolean },
): Parsed<O> | Answer {
  if (args.includes('--help') || args.includes('-h')) return { exitCode: 0, text: usage };
  try {
    return parseArgs({ args: [...args], allowPositionals, options });
  } catch (error) {
    // The rest of the message is about arguments that begin with a dash.
    const [fault] = (error as Error).message.split(/\.\s/);
    const allowed = Object.keys(options).map((name) => `--${name}`);
    return mistake(`${fault}; allowed: ${[...allowed, '--help'].join(', ')}`);
  }
}
