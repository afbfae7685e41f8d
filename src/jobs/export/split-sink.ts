import type { ExportMessage, GroupSink, WindowResult } from './group-sink.js';

/** Two sinks of one group: some messages go to the first, the others to the second. */
export class SplitSink implements GroupSink {
  constructor(
    readonly isFirst: (one: ExportMessage) => boolean,
    readonly first: GroupSink,
    readonly second: GroupSink,
  ) {}

  add(one: ExportMessage): Promise<void> | undefined {
    return (this.isFirst(one) ? this.first : this.second).add(one);
  }

  async endWindow(): Promise<WindowResult> {
    const [a, b] = [await this.first.endWindow(), await this.second.endWindow()];
    return { files: [...a.files, ...b.files], tallies: [...a.tallies, ...b.tallies] };
  }

  async abort(): Promise<void> {
    await this.first.abort();
    await this.second.abort();
  }
}
