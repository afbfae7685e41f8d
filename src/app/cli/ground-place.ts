import { formatTime, type Clock } from '../../core/clock.js';
import type { DeletedFacts } from '../../core/manifest.js';
import type {
  DeletionPlace,
  KeptObject,
  PlacePlan,
  PlannedObject,
  Removal,
} from '../../deletion/deletion-place.js';
import { requestToJson, type DeletionRequest } from '../../deletion/deletion-request.js';
import type { HoldBook } from '../../deletion/hold-book.js';
import type { LegalHold } from '../../deletion/legal-hold.js';
import type { GroundClient } from './ground-client.js';

/** What the ground answers. */
interface Records {
  readonly samples: number;
  readonly events: number;
  readonly recordings: number;
}

/** A ground has none of its own: those of the other places count. */
const noBook: HoldBook = { list: () => Promise.resolve([]), write: () => Promise.resolve() };
/** For a dry run, which writes nothing down. */
const NO_PLAN = '0'.repeat(16);

/** What the database of a ground keeps of the robot: history, marked events and tags. */
export class GroundPlace implements DeletionPlace {
  readonly kind = 'ground';
  readonly place: string;
  readonly holds = noBook;
  readonly judgesHolds = true;

  constructor(
    readonly client: GroundClient,
    readonly clock: Pick<Clock, 'now'>,
  ) {
    this.place = client.base;
  }

  async survey(request: DeletionRequest, holds: readonly LegalHold[]): Promise<PlacePlan> {
    const remove: PlannedObject[] = [];
    const notes: string[] = [];
    let found = 0;
    for (const { from, to } of timesWithout(request, holds)) {
      const records = await this.#ask(
        { ...request, from, to },
        { plan: NO_PLAN, reason: 'dry run', dryRun: true },
      );
      found += sumOf(records);
      const key = keyOf(from, to);
      const times = { firstLogTime: String(from), lastLogTime: String(to) };
      // Without a row too: from then on the ground stores nothing of the time.
      remove.push({ key, bytes: 0, crc32: 0, messages: sumOf(records), ...times });
    }
    const keep: KeptObject[] = heldBy(request, holds).map(({ id, reason }) => {
      return { key: 'history', bytes: 0, why: `what lies in the time of legal hold ${id}: ${reason}` };
    });
    const { robot, to } = request;
    if (remove.length > 0 && found === 0)
      notes.push(`the ground has nothing of the robot ${robot} in this time; check the name and the time`);
    if (to > this.clock.now())
      notes.push(
        `the ground will store nothing of ${robot} until ${formatTime(to)}: the time ends in the future`,
      );
    return { place: this.place, kind: this.kind, remove, keep, notes };
  }

  remove(): Promise<string | undefined> {
    return Promise.resolve('a time of a ground is always cut');
  }

  async cut(
    object: PlannedObject,
    { plan, reason }: DeletedFacts,
    request: DeletionRequest,
    holds: readonly LegalHold[],
  ): Promise<Removal> {
    const whole = { ...request, from: BigInt(object.firstLogTime), to: BigInt(object.lastLogTime) };
    let messages = 0;
    for (const { from, to } of timesWithout(whole, holds)) {
      messages += sumOf(await this.#ask({ ...request, from, to }, { plan, reason }));
    }
    return { kind: 'removed', object: { ...object, messages } };
  }

  async #ask(
    request: DeletionRequest,
    more: { readonly plan: string; readonly reason: string; readonly dryRun?: true },
  ): Promise<Records> {
    const { robot, ...what } = requestToJson(request);
    const path = `api/robots/${encodeURIComponent(robot)}/delete`;
    return (await this.client.ask('POST', path, { ...what, ...more })) as Records;
  }
}

function keyOf(from: bigint, to: bigint): string {
  return `history ${from} to ${to}`;
}

function sumOf({ samples, events, recordings }: Records): number {
  return samples + events + recordings;
}

function heldBy({ robot, from, to }: DeletionRequest, holds: readonly LegalHold[]): LegalHold[] {
  return holds.filter(
    (hold) =>
      hold.released === undefined &&
      hold.robot === robot &&
      BigInt(hold.from) <= to &&
      BigInt(hold.to) >= from,
  );
}

/** The times of the request on which no hold lies, in order. */
function timesWithout(
  request: DeletionRequest,
  holds: readonly LegalHold[],
): { readonly from: bigint; readonly to: bigint }[] {
  const held = heldBy(request, holds).sort((a, b) => (BigInt(a.from) < BigInt(b.from) ? -1 : 1));
  const times: { readonly from: bigint; readonly to: bigint }[] = [];
  let at = request.from;
  for (const hold of held) {
    if (BigInt(hold.from) > at) times.push({ from: at, to: BigInt(hold.from) - 1n });
    if (BigInt(hold.to) >= at) at = BigInt(hold.to) + 1n;
  }
  if (at <= request.to) times.push({ from: at, to: request.to });
  return times;
}
