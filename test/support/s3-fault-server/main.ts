/**
 * The server as a process of its own: options as one JSON argument, then one JSON command per line on
 * standard input; answers, the first of them `{"endpoint": ...}`, one per line on standard output. Ends with
 * its standard input.
 *
 *     {"do":"offline","how":"reset"|"hang"}  {"do":"online"}  {"do":"fault","rule":{...}}
 *     {"do":"clear-faults"}  {"do":"bandwidth","bytesPerS":25000000}  {"do":"objects"}  {"do":"parts"}
 */
import { createInterface } from 'node:readline';
import type { FaultRule } from './fault-script.js';
import { startFaultyS3, type FaultyS3Options } from './server.js';

interface Command {
  readonly do: string;
  readonly how?: 'reset' | 'hang';
  readonly rule?: FaultRule;
  readonly bytesPerS?: number;
}

const server = await startFaultyS3(JSON.parse(process.argv[2] ?? '{}') as FaultyS3Options);
const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
const { endpoint, region, accessKeyId, secretAccessKey } = server;
say({ endpoint, region, accessKeyId, secretAccessKey });

function obey(command: Command): unknown {
  switch (command.do) {
    case 'offline':
      server.goOffline(command.how);
      return { ok: true };
    case 'online':
      server.goOnline();
      return { ok: true };
    case 'fault':
      if (command.rule) server.faults.add(command.rule);
      return { ok: true };
    case 'clear-faults':
      server.faults.clear();
      return { ok: true };
    case 'bandwidth':
      server.bandwidthBytesPerS = command.bytesPerS;
      return { ok: true };
    case 'objects':
      return server.objects();
    case 'parts':
      return server.partsReceived();
    default:
      return { error: `unknown command ${command.do}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  say(obey(JSON.parse(line) as Command));
}
await server.stop();
