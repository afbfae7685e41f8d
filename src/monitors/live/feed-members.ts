/** A receiver of a feed. */
export interface FeedClient {
  /** Bytes handed over and not yet sent. */
  readonly unsentBytes: number;
  send(text: string): void;
  /** It reads too slowly and is dropped. */
  drop(): void;
}

/** A client this far behind gets nothing more until it has caught up, and then a complete state. */
const UNSENT_PAUSE_BYTES = 512 * 1024;
/** Consecutive updates that a client may miss; then it is dropped. */
const MISSED_MAX = 60;

interface Member {
  readonly client: FeedClient;
  /** Needs a complete state: it is new, or it missed updates. */
  isBehind: boolean;
  missed: number;
}

/** The clients of a feed. A slow one is skipped, never awaited, and finally dropped. */
export class FeedMembers {
  /** Since the start: updates that slow clients did not get, and clients dropped for being slow. */
  skipped = 0;
  dropped = 0;
  readonly #members = new Set<Member>();

  get size(): number {
    return this.#members.size;
  }

  /** Sends the complete state to a new client; returns how it leaves. */
  add(client: FeedClient, hello: string): () => void {
    const member: Member = { client, isBehind: true, missed: 0 };
    this.#members.add(member);
    this.#deliver(member, '', hello);
    return () => this.#members.delete(member);
  }

  /** Sends an update to each client, or the complete state to one that missed updates. */
  send(update: string, hello: () => string): void {
    let complete: string | undefined;
    for (const member of this.#members)
      this.#deliver(member, update, member.isBehind ? (complete ??= hello()) : '');
  }

  clear(): void {
    this.#members.clear();
  }

  #deliver(member: Member, update: string, hello: string): void {
    const { client } = member;
    if (client.unsentBytes > UNSENT_PAUSE_BYTES) {
      this.skipped++;
      member.isBehind = true;
      if (++member.missed < MISSED_MAX) return;
      this.dropped++;
      this.#members.delete(member);
      client.drop();
      return;
    }
    client.send(member.isBehind ? hello : update);
    member.isBehind = false;
    member.missed = 0;
  }
}
