import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { Terminal, type TerminalStreams } from '../../src/host/terminal.js';

/** A stream that keeps its text. With `slow`, the reader takes a chunk only on `take()`. */
class Recorded extends Writable {
  text = '';
  isTTY = false;
  columns = 12;
  #waiting: (() => void) | undefined;

  constructor(readonly slow = false) {
    super({ highWaterMark: slow ? 1 : 1024, decodeStrings: false });
  }

  override _write(chunk: string | Uint8Array, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    if (this.slow) this.#waiting = done;
    else done();
  }

  take(): void {
    this.#waiting?.();
  }
}

function terminalOn(stdout = new Recorded()): { terminal: Terminal; stdout: Recorded; stderr: Recorded } {
  const stderr = new Recorded();
  const streams: TerminalStreams = { stdout, stderr };
  return { terminal: new Terminal(streams), stdout, stderr };
}

describe('a terminal', () => {
  it('keeps one live line below the log, cut to its width, and removes it before it ends', async () => {
    const { terminal, stdout, stderr } = terminalOn();
    stderr.isTTY = true;
    terminal.live('recording 12 MB/s');
    assert.equal(stderr.text, 'recording 1');
    terminal.note('warn\n');
    await terminal.out('result');
    await terminal.flush();
    assert.equal(stdout.text, 'result\n');
    const clear = '\r\u001b[K';
    const line = 'recording 1';
    assert.equal(stderr.text, `${line}${clear}warn\n${line}${clear}${line}${clear}`);
  });

  it('shows no live line where nobody sees it change', async () => {
    const { terminal, stderr } = terminalOn();
    terminal.live('recording');
    terminal.note('warn\n');
    await terminal.flush();
    assert.equal(stderr.text, 'warn\n');
  });

  it('waits for a slow reader', async () => {
    const stdout = new Recorded(true);
    const { terminal } = terminalOn(stdout);
    let isDone = false;
    const written = terminal.text('many rows').then(() => (isDone = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isDone, false);
    stdout.take();
    await written;
  });

  it('drops what comes after its reader has gone, also in the middle of a wait', async () => {
    const stdout = new Recorded(true);
    const { terminal } = terminalOn(stdout);
    const written = terminal.text('many rows');
    stdout.destroy(new Error('EPIPE'));
    await written;
    assert.equal(terminal.closed.aborted, true);
    await terminal.out('more');
    await terminal.flush();
    assert.equal(stdout.text, 'many rows');
  });
});
