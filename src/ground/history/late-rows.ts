/** Rows of outboxes that wait at once. The live stream has the rest of the queue for itself. */
const MAX_ROWS = 150_000;
/** Of one robot, unless it is its only batch. A recorder has at most 16,384 rows on their way. */
const MAX_ROWS_OF_ROBOT = 20_000;

/** Counts the rows of outboxes that wait to be stored, so that no robot fills the queue with what it kept. */
export class LateRows {
  readonly #ofRobots = new Map<string, number>();
  #all = 0;

  /** Counts the rows of a batch; false: they are too many now, and are not counted. */
  add(robot: string, rows: number): boolean {
    const own = this.#ofRobots.get(robot) ?? 0;
    if (this.#all + rows > MAX_ROWS || (own > 0 && own + rows > MAX_ROWS_OF_ROBOT)) return false;
    this.#all += rows;
    this.#ofRobots.set(robot, own + rows);
    return true;
  }

  /** The rows of a batch no longer wait. */
  remove(robot: string, rows: number): void {
    const left = (this.#ofRobots.get(robot) ?? 0) - rows;
    this.#all -= rows;
    if (left > 0) this.#ofRobots.set(robot, left);
    else this.#ofRobots.delete(robot);
  }
}
